"""Whose notebook a file is, in the styles of several platforms."""

import json
import os

import pytest

from course.grade.made_up import WRONG, write
from minisft.course.grade import notebook_file
from minisft.course.grade.submissions import found
from minisft.errors import MinisftError

NAME = "01_log_probability"


def handed(top, *names):
    for name in names:
        write(top / name, WRONG)
    several, lines = found([top])
    return [(one.student, one.notebook) for one in several], lines


@pytest.mark.parametrize(
    ("name", "student"),
    [
        (f"Ann Lee/{NAME}.ipynb", "Ann Lee"),
        (f"ann/sft-course/{NAME}.ipynb", "ann"),  # nbgrader's submitted/
        (f"Ann Lee_4711_assignsubmission_file_/{NAME}.ipynb", "Ann Lee (4711)"),
        (f"Ann Lee_4711_assignsubmission_file_{NAME}.ipynb", "Ann Lee (4711)"),
        (f"ann_{NAME}.ipynb", "ann"),
        (f"leeann_12345_67890_{NAME}.ipynb", "leeann"),  # Canvas
        (f"leeann_LATE_12345_67890_{NAME}-1.ipynb", "leeann"),
        (f"leeann_late_12345_67890_{NAME}-1.ipynb", "leeann"),
        (f"leeann_12345_67890_{NAME}_final_v2.ipynb", "leeann"),
        (f"Lab 1_s4711_attempt_2026-11-20-10-11-12_{NAME}.ipynb", "s4711"),  # Blackboard
        (f"ann_{NAME}_final.ipynb", "ann"),
        (f"ann/{NAME}.IPYNB", "ann"),
        (f"ann/{NAME.upper()}.Ipynb", "ann"),
        (f"ann_{NAME}_{NAME}.ipynb", "ann"),
        (f"ann/{NAME} (2).ipynb", "ann"),
        (f"ann/{NAME}-Copy1.ipynb", "ann"),
        (f"=cmd/{NAME}.ipynb", "=cmd"),
        (f"Zoë Ångström/{NAME}.ipynb", "Zoë Ångström"),
    ],
)
def test_the_student_is_the_folder_or_what_stands_before_the_name(tmp_path, name, student):
    assert handed(tmp_path, name) == ([(student, NAME)], [])


def test_a_folder_of_one_student_is_called_as_the_folder(tmp_path):
    assert handed(tmp_path / "ann", f"{NAME}.ipynb")[0] == [("ann", NAME)]


def test_one_file_may_be_named(tmp_path):
    several, _ = found([write(tmp_path / "ann" / f"{NAME}.ipynb", WRONG)])
    assert several[0].student == "ann"


def test_a_notebook_of_another_name_is_known_by_the_checks_it_imports(tmp_path):
    write(tmp_path / "ann" / "homework.ipynb", "from minisft.course import log_probability as check")
    assert found([tmp_path])[0][0].notebook == NAME


def test_files_of_another_name_have_the_student_that_the_platform_wrote(tmp_path):
    for name in ("leeann_12345_67890_homework.IPYNB", "Lab 1_s4711_attempt_2026-11-20-10-11-12_homework.ipynb"):
        write(tmp_path / name, "from minisft.course import log_probability as check")
    assert [one.student for one in found([tmp_path])[0]] == ["leeann", "s4711"]


def test_a_notebook_under_the_name_of_another_one_counts_as_what_it_holds(tmp_path):
    write(tmp_path / "ann" / "02_the_objective.ipynb", "from minisft.course import log_probability as check", WRONG)
    both = ["from minisft.course import the_objective as check", "from minisft.course import log_probability as check"]
    write(tmp_path / "ben" / "02_the_objective.ipynb", *both[::-1])
    assert [one.notebook for one in found([tmp_path])[0]] == [NAME, "02_the_objective"]


@pytest.mark.parametrize("name", [f"{NAME}.py", f"{NAME}.html", f"{NAME}.ipynb.txt", f"{NAME}.ipynb.json"])
def test_what_was_handed_in_in_the_place_of_a_notebook_is_named(tmp_path, name):
    write(tmp_path / "ann" / f"{NAME}.ipynb", WRONG)
    write(tmp_path / "ann" / name, WRONG)
    assert found([tmp_path])[1] == []
    write(tmp_path / "ben" / name, WRONG)
    assert found([tmp_path])[1] == [f"{tmp_path / 'ben' / name}: is not a notebook; ask for {NAME}.ipynb"]


def test_what_is_no_file_and_a_folder_without_a_notebook_are_named(tmp_path):
    write(tmp_path / "ann" / f"{NAME}.ipynb", WRONG)
    (tmp_path / "ben" / f"{NAME}.ipynb").mkdir(parents=True)
    (tmp_path / "eve").mkdir()
    assert found([tmp_path])[1] == [
        f"{tmp_path / 'ben' / f'{NAME}.ipynb'}: is not a file",
        f"{tmp_path / 'eve'}: holds no notebook of the course",
    ]


def test_a_class_of_packed_files_only_is_refused_with_a_word_about_them(tmp_path):
    (tmp_path / "ann.zip").write_bytes(b"PK")
    with pytest.raises(MinisftError, match="unpack it first"):
        found([tmp_path])


def test_the_newest_of_several_is_judged_and_the_others_are_named(tmp_path):
    names = [f"ann/{NAME}.ipynb", f"ann/{NAME}-2.ipynb", f"ann/{NAME}-1.ipynb"]
    assert len(handed(tmp_path, *names)[0]) == 1
    several, lines = found([tmp_path])
    assert several[0].path.stem == f"{NAME}-2" and len(lines) == 2


def test_what_cannot_be_judged_is_named_and_hidden_folders_are_not(tmp_path):
    write(tmp_path / "ann" / f"{NAME}.ipynb", WRONG)
    write(tmp_path / "ann" / ".ipynb_checkpoints" / f"{NAME}-checkpoint.ipynb", WRONG)
    write(tmp_path / "ben" / "poem.ipynb", "x = 1")
    (tmp_path / "all.zip").write_bytes(b"")
    os.symlink(tmp_path / "ann" / f"{NAME}.ipynb", tmp_path / f"eve_{NAME}.ipynb")
    several, lines = found([tmp_path])
    assert len(several) == 1 and len(lines) == 3
    assert ["unpack" in " ".join(lines), "link" in " ".join(lines), "poem" in " ".join(lines)] == [True] * 3


def test_a_folder_without_notebooks_and_one_that_is_not_there_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MinisftError):
            found([path])


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff", b"{", b"[]", b'{"cells": 3}', b'{"metadata": {}}', b"[" * 100_000, b'{"cells": {"a": 1}}'],
)
def test_what_is_no_notebook_is_said_to_be_none(tmp_path, content):
    (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(MinisftError):
        notebook_file.cells_of(str(tmp_path / "a.ipynb"))


def test_a_notebook_of_format_3_has_its_cells_in_worksheets(tmp_path):
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"]}]}]}
    (tmp_path / "old.ipynb").write_text(json.dumps(old))
    assert notebook_file.cells_of(str(tmp_path / "old.ipynb"))[0]["input"] == ["x = 1"]


def test_a_notebook_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "big.ipynb", "wb") as file:
        file.truncate(notebook_file.LARGEST + 1)
    with pytest.raises(MinisftError, match="larger"):
        notebook_file.cells_of(str(tmp_path / "big.ipynb"))
