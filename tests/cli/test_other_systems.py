"""What only Linux has is a help and never a need: without it the commands end in the same bytes."""

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import elsewhere
from support.commandline import ROOT, assert_refused, command, contents, minisft, sft_line, subprocess_of

from minisft.cli import main
from minisft.course import side_by_side
from minisft.course.grading import limits
from minisft.errors import MinisftError
from minisft.formats import apart, files
from minisft.runs import allocator, directory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pretends to be elsewhere, on Linux")


def there(*arguments, env=(), **more):
    """A command in a process of its own, on a system without all that."""
    line = command(*arguments)
    line["args"][1:3] = [str(ROOT / "tests/support/elsewhere.py")]
    line["env"] |= dict(env)
    return subprocess.run(**line | more, capture_output=True, timeout=60)


@pytest.fixture
def hidden(monkeypatch):
    """The same in this process."""
    elsewhere.hide(
        monkeypatch.setattr, monkeypatch.delattr, lambda name, value: monkeypatch.setitem(sys.modules, name, value)
    )


def weights(directory):
    return (directory / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def linux(shared, tmp_path_factory):
    """θ̃ of six steps on this system, in bytes."""
    out = tmp_path_factory.mktemp("here") / "out"
    done = subprocess_of(*sft_line(shared, out, "--max-steps", 6))
    assert done.returncode == 0, done.stderr
    return weights(out)


def test_a_run_ends_in_the_same_bytes(shared, tmp_path, linux):
    done = there(*sft_line(shared, tmp_path / "out", "--max-steps", 6))
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == linux


def test_so_does_a_run_that_was_stopped_and_resumed(shared, tmp_path, linux):
    line = sft_line(shared, tmp_path / "out", "--max-steps", 6, "--save-steps", 2)
    assert there(*line).returncode == 0
    for name in ("model.safetensors", "checkpoint-6/model.safetensors", "checkpoint-4/model.safetensors"):
        (tmp_path / "out" / name).unlink()  # as if it had been stopped after the second step
    done = there(*line, "--resume")
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == linux


def test_a_model_is_replaced_where_open_files_cannot_be(shared, tmp_path, linux):
    """sft reads a model and then writes one; with --overwrite, onto one that it has looked at."""
    line = sft_line(shared, tmp_path / "out", "--max-steps", 6)
    assert there(*line).returncode == 0
    done = there(*line, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "out") == linux


@pytest.mark.parametrize(
    "line",
    [
        "evaluate --model {model} --data {data} --max-new-tokens 4 --json",
        "generate --model {model} --prompt Hi --max-new-tokens 4 --json",
        "inspect --model {model} --data {data} --json",
        "gradcheck --json",
        "pretrain --data {texts} --output-dir {out} --max-steps 2 --vocab-size 300 --hidden-size 16 --json",
        "course {out} --json",
        "doctor --model {model} --data {data} --json",
        "film --model {model} --data {data} --watch {data} --max-steps 2 --output {out}.html --json",
        "export --model {model} --gguf {out}.gguf --json",
    ],
    ids=lambda line: line.split()[0],
)
def test_the_other_commands_work_as_well(shared, tmp_path, line):
    places = {
        "model": shared / "theta_hat",
        "data": shared / "train.jsonl",
        "texts": shared / "texts.jsonl",
        "out": tmp_path / "out",
    }
    done = there(*(word.format(**places) for word in line.split()))
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


def test_a_run_leaves_the_same_files_whatever_a_text_is_by_default(shared, tmp_path):
    """No file is left to the system's encoding, or to its ends of lines."""
    line = sft_line(shared, "out", "--max-steps", 2)
    for name, run in (("one", subprocess_of), ("other", there)):
        (tmp_path / name).mkdir()
        done = run(*line, cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert len(contents(tmp_path / "one")) > 6
    assert without_clocks(tmp_path / "one") == without_clocks(tmp_path / "other")


def without_clocks(directory):
    return {path: re.sub(rb'"tokens_per_second": ?[\d.]+', b"", data) for path, data in contents(directory).items()}


def test_a_copy_of_the_course_and_a_film_are_the_same_everywhere(shared, tmp_path):
    watched = ["--watch", shared / "train.jsonl", "--max-steps", 2]
    film = ["film", "--model", shared / "theta_hat", "--data", shared / "train.jsonl", *watched]
    for name, run in (("one", subprocess_of), ("other", there)):
        for line in (["course", tmp_path / name], [*film, "--output", tmp_path / name / "film.html"]):
            done = run(*line)
            assert done.returncode == 0, done.stderr
    assert without_clocks(tmp_path / "one") == without_clocks(tmp_path / "other")


@pytest.mark.parametrize("line", ["evaluate --data {data} --max-new-tokens 4", "inspect --data {data}", "generate"])
def test_a_terminal_that_has_few_letters_is_no_reason_to_stop(shared, line):
    words = [*line.format(data=shared / "train.jsonl").split(), "--model", shared / "theta_hat"]
    words += ["--prompt", "λ → θ̃"] if line == "generate" else []
    done = there(*words, env={"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, text=False)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr


def test_a_reader_who_has_left_is_no_mistake_where_the_system_has_no_word_for_it(monkeypatch, capsys):
    def left(*arguments):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(main, "run", left)
    assert minisft("gradcheck") == 2 and "standard output" in capsys.readouterr().err
    monkeypatch.setattr(main, "os", elsewhere.NotPosix("os"))
    assert minisft("gradcheck") == 141 and capsys.readouterr().err == ""


def test_a_file_that_is_read_only_is_kept_where_it_cannot_be_replaced(tmp_path, monkeypatch, hidden):
    monkeypatch.setattr(files, "os", elsewhere.NotPosix("os"))
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(MinisftError, match="a: cannot be written"):
        files.write_atomically(tmp_path / "a", b"new")
    assert contents(tmp_path) == {Path("a"): b"old"}


def test_a_terminal_is_no_file_without_an_end(hidden):
    ours, theirs = os.openpty()
    files.require_end(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)


def test_what_is_read_is_not_written_to_under_a_name_in_other_letters(here, capsys, monkeypatch):
    """Where A is a, which a path does not tell: MODEL is model, and OUT is out."""
    line = "sft --data data.jsonl --max-steps 2 --save-steps 2 --overwrite"
    assert minisft(*line.split(), "--model", "model", "--output-dir", "out") == 0
    for name in ("model", "out"):
        (here / name.upper()).symlink_to(name)
    for module in (apart, directory):
        monkeypatch.setattr(module, "real", lambda path: Path(os.path.abspath(path)))
    before = contents(here)
    assert_refused(capsys, f"{line} --model model --output-dir MODEL", "MODEL holds the model that is read")
    assert_refused(capsys, f"{line} --model model --output-dir MODEL/new", "MODEL/new lies in the model")
    assert_refused(capsys, f"{line} --model OUT/checkpoint-2 --output-dir out", "out holds the model that is read")
    assert contents(here) == before


def test_an_answer_without_an_end_is_interrupted_without_a_timer(monkeypatch):
    monkeypatch.delattr(limits.signal, "setitimer")
    began = time.process_time()
    with pytest.raises(limits.Overtime), contextlib.suppress(ZeroDivisionError):
        limits.within(0.2, lambda: [None for _ in iter(int, 1)])
    assert time.process_time() - began < 5


def test_the_allocator_says_no_where_there_is_no_glibc(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    elsewhere.hide(monkeypatch.setattr, monkeypatch.delattr, lambda name, value: None)
    assert allocator.keep_freed_arrays() is False


def test_cores_are_counted_where_a_process_has_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.setenv(name, "1")
    with side_by_side.processes() as pool:
        assert pool._max_workers == 1


def test_what_is_taken_away_is_away(tmp_path, hidden):
    (tmp_path / "a").write_text("a", encoding="utf-8")
    (tmp_path / "b").write_text("b", encoding="utf-8")
    with pytest.raises(ImportError):
        import fcntl  # noqa: F401
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    with open(tmp_path / "b", encoding="utf-8") as file:
        with pytest.raises(PermissionError):
            os.replace(tmp_path / "a", tmp_path / "b")
        with pytest.raises(OSError, match="Bad file"):
            os.fsync(file.fileno())
    assert not hasattr(os, "fork") and not hasattr(os, "O_NOCTTY")
    (tmp_path / "a").write_text("a\n")
    assert (tmp_path / "a").read_bytes() == b"a\r\n"
    with pytest.raises(UnicodeEncodeError):
        (tmp_path / "a").write_text("λ")
    (tmp_path / "a").chmod(0o444)
    for refused in ((tmp_path / "a").unlink, lambda: os.replace(tmp_path / "b", tmp_path / "a")):
        with pytest.raises(PermissionError):
            refused()
