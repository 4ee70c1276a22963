"""The house: who may import whom, and what stands nowhere, or in one place only. Read from the source, not run."""

import ast
from pathlib import Path

import pytest

import minisft

HOUSE = Path(minisft.__file__).parent
FILES = sorted(path for path in HOUSE.rglob("*.py") if "shipped" not in path.relative_to(HOUSE).parts)
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

FLOORS = (
    {"__init__", "errors", "config", "params", "files", "allocator", "shipped"},
    {"layers", "objective", "gradcheck", "tokenizer", "templates", "sentencepiece", "gguf_header"},
    {"model", "data", "optim", "checkpoint", "gguf_files", "gguf_export", "parallel", "card"},
    {"train", "generate", "evaluate"},
    {"trajectory", "plots", "runs", "receipt", "autograd", "modelcheck", "chat", "screen", "flags"},
    {"inputs", "jobs", "demo", "course", "cli", "__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# A file imports lower floors only. On its own floor it may go to these doors:
SAME_FLOOR = {
    "__init__": {"errors"},  # the one name of the package itself
    "config": {"errors"},  # the ground everybody stands on
    "files": {"errors"},
    "shipped": {"errors"},
    "layers": {"layers"},  # attention is made of linear maps and rotations, a block of attention and norms
    "tokenizer": {"templates", "sentencepiece"},  # its conversations; its other kind
    "checkpoint": {"model", "gguf_files"},  # the shapes to expect; the other kind of file
    "evaluate": {"generate"},  # exact match is about answers
    "gguf_export": {"gguf_files"},  # the tables of names, used backwards
    "modelcheck": {"autograd"},  # one oracle more
    "jobs": {"inputs"},
    "plots": {"plots"},  # the figures, in one style
    "course": {"course"},
    "cli": {"inputs", "jobs", "demo", "course"},  # the door to all of it
    "__main__": {"cli"},
}


def room(path):
    """layers/linear.py -> "layers", data.py -> "data"."""
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imported(tree):
    """The rooms of minisft that a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full: from minisft.layers import …"
            package, *rest = (node.module or "").split(".")
            if package == "minisft":
                names = [rest[0]] if rest else [alias.name for alias in node.names]
                yield from (name if name in FLOOR else "__init__" for name in names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                package, *rest = alias.name.split(".")
                if package == "minisft":
                    yield rest[0] if rest else "__init__"


def modules(tree):
    """Every module a file imports, with its dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def names(tree):
    """Every name and attribute a file mentions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))


def test_the_house_is_found():
    assert {"train", "layers", "data"} <= {room(path) for path in FILES}
    assert set(imported(TREES[HOUSE / "train.py"])) >= {"model", "objective", "optim", "config", "data", "params"}


@each_file
def test_every_file_has_a_floor(path):
    assert room(path) in FLOOR, f"a new room: give {room(path)} a floor in this test"


@each_file
def test_a_file_imports_only_lower_floors(path):
    here = room(path)
    for there in imported(TREES[path]):
        assert FLOOR[there] < FLOOR[here] or there in SAME_FLOOR.get(here, ()), (
            f"{here} (floor {FLOOR[here]}) imports {there} (floor {FLOOR[there]})"
        )


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "layers"], ids=lambda path: path.stem)
def test_a_layer_sees_no_config_and_no_other_library_than_numpy(path):
    """Sizes come from the shapes of its arguments."""
    assert set(imported(TREES[path])) <= {"layers", "params"}
    assert {module.split(".")[0] for module in modules(TREES[path])} <= {"numpy", "minisft", "collections", "functools"}


@each_file
def test_nothing_is_unpickled_evaluated_or_executed(path):
    builtins = {node.id for node in ast.walk(TREES[path]) if isinstance(node, ast.Name)}
    assert not builtins & {"eval", "exec", "compile", "__import__"}
    unpicklers = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not {module.split(".")[0] for module in modules(TREES[path])} & unpicklers
    keywords = {node.arg for node in ast.walk(TREES[path]) if isinstance(node, ast.keyword)}
    assert "allow_pickle" not in keywords


@each_file
def test_matrix_products_are_written_out_and_never_einsum(path):
    assert "einsum" not in set(names(TREES[path]))


def test_the_minus_sign_of_the_loss_is_in_one_line_of_train_and_nowhere_else():
    places = [path.name for path in FILES for _ in range(path.read_text(encoding="utf-8").count("dJ=-1.0"))]
    assert places == ["train.py"]
    seeds = [
        path.name
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "dJ" and isinstance(node.value, ast.UnaryOp)
    ]
    assert seeds == ["train.py"]  # however it is spaced


@each_file
def test_random_numbers_come_from_a_generator_that_is_passed_along(path):
    """No global state: of numpy.random only what makes a generator, of the standard library's random nothing."""
    assert "random" not in set(modules(TREES[path]))
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            module, name = ast.unparse(node.value), node.attr
            assert module != "np.random" or name in {"default_rng", "Generator"}, f"np.random.{name}"


@each_file
def test_no_function_changes_a_global(path):
    assert not any(isinstance(node, (ast.Global, ast.Nonlocal)) for node in ast.walk(TREES[path]))


@each_file
def test_the_only_arrays_on_disk_are_safetensors(path):
    """numpy's own loader can unpickle, so it is not used."""
    loaders = {"load", "save", "savez", "savez_compressed", "fromfile", "tofile", "memmap"}
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
            assert node.attr not in loaders, f"np.{node.attr}"
