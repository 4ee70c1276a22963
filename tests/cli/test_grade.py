"""minisft grade, from the command line."""

import csv
import json
import os
import signal
import subprocess

import pytest
from course.grade.made_up import CHECK, LOG_PR, RIGHT, WRONG, write
from support.commandline import command

from minisft.cli.commands import grade
from minisft.cli.main import main


@pytest.fixture
def submitted(tmp_path):
    write(tmp_path / "submitted" / "ann" / f"{LOG_PR}.ipynb", RIGHT, CHECK)
    write(
        tmp_path / "submitted" / "=ben" / f"{LOG_PR}.ipynb",
        WRONG,
        "prediction = 3",
        "check.reach(prediction, 1)",
        CHECK,
    )
    return tmp_path / "submitted"


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["grade", *map(str, arguments)])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_rows_go_to_the_file_and_a_summary_to_the_terminal(submitted, tmp_path, capsys):
    target = tmp_path / "grades.csv"
    main(["grade", str(submitted), "--csv", str(target), "--seed", "1"])
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["student", "notebook", "exercise", "right", "mistake", "tries", "seconds"]
    found = {row["student"]: row["right"] for row in rows if row["exercise"] == "log_pr"}
    assert found == {"ann": "true", "'=ben": "false"}
    shown = capsys.readouterr()
    assert "2 students, seed 1" in shown.out and "answers judged 8/8" in shown.err


def test_json_is_one_object_with_the_seed_that_repeats_it(submitted, capsys):
    main(["grade", str(submitted), "--json", "--seed", "3"])
    first = json.loads(capsys.readouterr().out)
    main(["grade", str(submitted), "--json", "--seed", str(first["seed"])])
    again = json.loads(capsys.readouterr().out)
    same = [[{k: v for k, v in row.items() if k != "seconds"} for row in run["rows"]] for run in (first, again)]
    assert same[0] == same[1] and first["lines"] == []


def test_predictions_are_counted_and_nothing_is_run(submitted, tmp_path, capsys):
    main(["grade", str(submitted), "--predictions", "--json"])
    (said,) = json.loads(capsys.readouterr().out)["predictions"]
    assert (said["student"], said["question"], said["first"]) == ("=ben", "reach", "3")
    main(["grade", str(submitted), "--predictions", "--csv", str(tmp_path / "tally.csv")])
    assert "reach" in (tmp_path / "tally.csv").read_text(encoding="utf-8-sig")


def test_what_is_not_there_or_would_be_written_over_is_refused(submitted, tmp_path, capsys):
    assert "neither a folder nor a file" in refused(capsys, tmp_path / "nowhere")
    assert "no notebook" in refused(capsys, write(tmp_path / "x" / "poem.ipynb", "x"))
    assert "--csv" in refused(capsys, submitted, "--csv", tmp_path)
    assert "--csv" in refused(capsys, submitted, "--csv", submitted / "ann" / f"{LOG_PR}.ipynb")
    assert "--csv" in refused(capsys, submitted, "--csv", tmp_path / "no" / "grades.csv")
    assert "PATH" in refused(capsys)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C for a group of processes, as POSIX has it")
@pytest.mark.parametrize("writes", [True, False])
def test_ctrl_c_keeps_the_rows_judged_so_far_and_ends_with_130(submitted, tmp_path, writes):
    sleeps = "import time\ndef log_pr(l, i, y):\n    time.sleep(1000)"
    write(submitted / "zoe" / f"{LOG_PR}.ipynb", sleeps, CHECK)
    target = tmp_path / "grades.csv"
    arguments = [str(submitted), "--exercise", "log_pr", *(["--csv", str(target)] if writes else [])]
    own = tmp_path / "own"
    own.mkdir()
    asked = command("grade", *arguments)
    process = subprocess.Popen(
        **asked | {"env": asked["env"] | {"TMPDIR": str(own)}},
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # in the background it is ignored
    )
    for line in process.stderr:
        if "2/3" in line:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody hears it
    with process.stderr:
        said = process.stderr.read()
    assert process.wait(30) == 130 and not list(own.iterdir())  # nor is the answer that sleeps still there
    kept = f"and are in {target}" if writes else "and nothing is written"
    assert said == f"minisft: interrupted: 2 of 3 answers were judged, {kept}\n"
    kept = target.read_bytes().decode("utf-8-sig").splitlines() if target.exists() else []
    rows = [(row["student"], row["right"]) for row in csv.DictReader(kept)]
    assert rows == ([("'=ben", "false"), ("ann", "true")] if writes else [])


def test_ctrl_c_before_the_first_row_leaves_an_earlier_file_as_it_was(submitted, tmp_path, capsys, monkeypatch):
    def pressed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade.grading, "graded", pressed)
    target = tmp_path / "grades.csv"
    target.write_text("of yesterday")
    with pytest.raises(SystemExit) as caught:
        main(["grade", str(submitted), "--csv", str(target)])
    assert caught.value.code == 130 and target.read_text() == "of yesterday"
    assert "0 of 8 answers were judged, and nothing is written" in capsys.readouterr().err
