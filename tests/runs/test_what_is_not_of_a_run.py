"""A person's files in the directory of a run stay, and the run of one directory is kept from the files of another."""

import json
import shutil
from pathlib import Path

import pytest
from support.commandline import assert_same_run, contents, minisft, sft_line

from minisft.runs import lock
from minisft.runs.lock import alone_in


def theirs(directory, *names):
    """Files of a person, and their contents."""
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("mine")
    return dict.fromkeys(names, "mine")


# --- --overwrite ------------------------------------------------------------------------------------------------------


def test_overwrite_removes_no_file_of_a_person_from_a_checkpoint(sft, tmp_path):
    assert sft("out", "--save-steps", 2) == 0
    mine = theirs(tmp_path / "out", "checkpoint-7/notes.txt", "checkpoint-2/my_notes.txt", "checkpoint-4/deep/er.txt")
    assert sft("out", "--overwrite") == 0
    left = [path for path in (tmp_path / "out").glob("checkpoint-*/**/*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "out")): path.read_text() for path in left} == mine
    assert not (tmp_path / "out" / "checkpoint-6").exists()


def test_a_checkpoint_is_written_into_a_directory_that_a_persons_file_has_kept(sft, tmp_path):
    assert sft("fresh", "--save-steps", 2) == 0 and sft("out", "--save-steps", 2) == 0
    theirs(tmp_path / "out", "checkpoint-4/notes.txt")
    assert sft("out", "--save-steps", 2, "--overwrite") == 0
    assert contents(tmp_path / "out" / "checkpoint-4") == contents(tmp_path / "fresh" / "checkpoint-4") | {
        Path("notes.txt"): b"mine"
    }


def test_a_directory_without_a_file_of_a_checkpoint_is_none_and_stays_where_it_is(sft, tmp_path, capsys):
    assert sft("out", "--save-steps", 4) == 0
    theirs(tmp_path / "out", "checkpoint-7/notes.txt")
    (tmp_path / "out" / "model.safetensors").unlink()
    assert sft("out", "--save-steps", 4, "--resume") == 0
    assert "going on after step 4" in capsys.readouterr().err
    assert (tmp_path / "out" / "checkpoint-7" / "notes.txt").exists()


def test_a_file_or_a_link_with_the_name_of_a_checkpoint_is_not_followed(sft, tmp_path):
    theirs(tmp_path, "elsewhere/config.json")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint-3").symlink_to(tmp_path / "elsewhere")
    assert sft("out", "--overwrite") == 0
    assert (tmp_path / "elsewhere" / "config.json").read_text() == "mine"


def test_a_file_in_the_place_of_a_checkpoint_is_refused_by_name_and_stays(sft, tmp_path, capsys):
    theirs(tmp_path / "out", "checkpoint-4")
    assert sft("out", "--overwrite") == 2
    assert "checkpoint-4 is in the way" in capsys.readouterr().err
    assert (tmp_path / "out" / "checkpoint-4").read_text() == "mine"


# --- runs inside runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["checkpoint-8", "checkpoint-2", "link"])
def test_no_run_goes_into_a_checkpoint_of_another(sft, tmp_path, capsys, name):
    assert sft("out", "--save-steps", 2) == 0
    (tmp_path / "out" / "link").symlink_to("checkpoint-8")
    before = contents(tmp_path)
    assert sft(f"out/{name}", "--overwrite") == 2
    assert "is a checkpoint of the run in" in capsys.readouterr().err
    assert contents(tmp_path) == before and not (tmp_path / "out" / "checkpoint-8").exists()


def test_a_directory_may_be_called_checkpoint_where_there_is_no_run(sft):
    assert sft("experiments/checkpoint-8") == 0
    assert sft("experiments/checkpoint-8", "--overwrite") == 0


@pytest.mark.parametrize(
    ("held", "wanted"),
    [("out", "out/inner"), ("out", "out/deep/er"), ("out/inner", "out"), ("out/deep/er", "out"), ("out", "out/demo")],
)
def test_no_run_goes_into_or_around_a_directory_that_another_one_holds(shared, tmp_path, capsys, held, wanted):
    line = (
        ["demo", "--output-dir", tmp_path / wanted] if wanted.endswith("demo") else sft_line(shared, tmp_path / wanted)
    )
    with alone_in(tmp_path / held):
        before = contents(tmp_path)
        assert minisft(*line) == 2
        assert f"is writing in {tmp_path / held}" in capsys.readouterr().err
        assert contents(tmp_path) == before and not (tmp_path / "out" / "demo").exists()


def test_a_lock_that_a_killed_process_has_left_keeps_nobody_out_of_the_directories_around_it(sft, tmp_path):
    for place in ("", "out/inner"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / ".minisft-lock").write_text("process 1 on a machine")
    assert sft("out") == 0


def test_a_link_of_a_directory_to_itself_is_not_another_run(sft, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(".")
    assert sft("out") == 0


@pytest.mark.parametrize("target", ["nowhere/at/all", "out"], ids=["dangling", "circle"])
def test_a_directory_that_is_a_link_to_nowhere_is_refused_in_words(sft, tmp_path, capsys, target):
    (tmp_path / "out").symlink_to(target)
    assert sft("out") == 2
    assert "out: cannot be written (it is a link that leads nowhere)" in capsys.readouterr().err


def test_a_disk_without_room_for_the_lock_is_told_with_the_directory(sft, tmp_path, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock, "sign", full)
    assert sft("out") == 2
    assert f"{tmp_path / 'out'}: cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# --- θ of another run -------------------------------------------------------------------------------------------------


def resumable(sft, directory):
    assert sft(directory.name, "--save-steps", 2) == 0
    (directory / "model.safetensors").unlink()  # so it is not finished


def test_a_checkpoint_with_the_parameters_of_another_run_is_passed_over(sft, tmp_path, capsys):
    resumable(sft, tmp_path / "out")
    assert sft("other", "--seed", 5, "--save-steps", 6) == 0 and sft("whole", "--save-steps", 2) == 0
    shutil.copy(tmp_path / "other/checkpoint-6/model.safetensors", tmp_path / "out/checkpoint-6")
    assert sft("out", "--save-steps", 2, "--resume") == 0
    assert "checkpoint-6 is not whole" in (err := capsys.readouterr().err) and "going on after step 4" in err
    assert_same_run(tmp_path / "whole", tmp_path / "out")


def test_a_checkpoint_written_before_there_were_fingerprints_still_resumes(sft, tmp_path, capsys):
    resumable(sft, tmp_path / "out")
    state = tmp_path / "out" / "checkpoint-6" / "trainer_state.json"
    state.write_text(json.dumps({k: v for k, v in json.loads(state.read_text()).items() if k != "sha256"}))
    assert sft("out", "--save-steps", 2, "--resume") == 0
    assert "going on after step 6" in capsys.readouterr().err


@pytest.mark.parametrize("value", [None, 7, [], "", "0" * 64])
def test_a_fingerprint_that_is_none_is_not_that_of_the_parameters(sft, tmp_path, capsys, value):
    resumable(sft, tmp_path / "out")
    state = tmp_path / "out" / "checkpoint-6" / "trainer_state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"sha256": value}))
    assert sft("out", "--save-steps", 2, "--resume") == 0
    assert "going on after step 4" in capsys.readouterr().err
