"""What all exercises have in common: a fresh seed, tries that are kept, hints, and the failing case in hand."""

import importlib
import inspect
import json
import re

import numpy as np
import pytest

from course.conditional_versus_joint.conftest import MEASURED
from course.solutions import FOLDER, sections
from minisft.course import log_probability as check
from minisft.course import three_states
from minisft.course.grading import cases, progress
from minisft.course.grading.help import HINTS, ways
from minisft.errors import MinisftError


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(progress, "KEPT", {progress.MARK: 1})
    monkeypatch.setattr(cases, "LATEST", {})


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """As in a notebook in this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "in_a_notebook", lambda: True)
    return tmp_path / progress.NAME


def wrong(logits, ids, is_y):
    return 1.0


def another(logits, ids, is_y):
    return 2.0


def a_third(logits, ids, is_y):
    return 3.0


def test_without_a_seed_the_cases_are_fresh_and_a_wrong_answer_is_told_the_seed():
    first, second = (check.log_pr(wrong).text for _ in range(2))
    seed = int(re.search(r"with seed=(\d+)", first)[1])
    assert first != second and first.startswith(check.log_pr(wrong, seed).text)
    assert "seed" not in check.log_pr(wrong, 3).text


def test_the_failing_case_is_handed_out():
    assert check.log_pr(wrong, 0).right is False
    case = check.case()
    assert case.got == wrong(*case.arguments) and case.expected != case.got
    logits, ids, is_y = case.arguments
    rows = np.flatnonzero(is_y) - 1
    log_pi = logits[rows] - np.log(np.exp(logits[rows]).sum(-1, keepdims=True))
    assert np.isclose(case.expected, log_pi[np.arange(len(rows)), ids[rows + 1]].sum())


def test_a_failing_case_is_a_copy():
    check.log_pr(wrong, 0)
    check.case().arguments[0][:] = 0
    assert check.case().arguments[0].any()


def test_before_any_wrong_answer_there_is_no_case():
    with pytest.raises(MinisftError, match="run a check first"):
        check.case()


def test_what_an_answer_raised_is_the_case_too():
    def bad(logits, ids, is_y):
        return logits[10**6]

    assert check.log_pr(bad, 0).right is False
    assert isinstance(check.case().got, IndexError)


def test_an_exception_shows_the_lines_of_the_answer_and_its_arguments_by_name():
    def helper(ids):
        return ids.nothing

    def bad(logits, ids, is_y):
        return helper(ids)

    text = check.log_pr(bad, 0).text
    number = inspect.getsourcelines(bad)[1] + 1
    assert f"line {number}: return helper(ids)" in text and "return ids.nothing" in text
    assert "logits = array (" in text and "is_y = array (" in text and "minisft" not in text


def hostile():
    cyclic = []
    cyclic.append(cyclic)

    class Odd:
        def __repr__(self):
            raise ValueError

        def __array__(self, *arguments, **options):
            raise RuntimeError("no array")

    def stops(error):
        def answer(*arguments):
            raise error

        return answer

    def deep(*arguments):
        return deep(*arguments)

    yield from [stops(SystemExit(3)), stops(KeyboardInterrupt()), stops(GeneratorExit()), stops(StopIteration()), deep]
    for value in (cyclic, [[1], [2, 3]], [[1.0, [2.0]]], {}, {1: cyclic}, Odd(), object(), b"x", 1j, "π", np, print):
        yield lambda *arguments, value=value: value
    yield lambda *arguments: np.array([object()])
    yield lambda *arguments: (x for x in arguments)
    yield lambda *arguments: lambda: 1
    yield lambda: 1
    yield lambda *arguments: np.ma.masked
    yield lambda *arguments: np.datetime64("2026-01-01")


def checks():
    for path in sorted(FOLDER.glob("[0-9][0-9]_*.py")):
        module = importlib.import_module(f"minisft.course.{path.stem[3:].removeprefix('a_')}")
        for name in sections(path.stem):
            yield pytest.param(getattr(module, name), id=f"{path.stem[:2]} {name}")


@pytest.mark.parametrize("one", list(checks()))
def test_whatever_an_answer_does_is_met_with_a_sentence(one):
    asked = [name for name in inspect.signature(one).parameters if name not in ("seed", "measured")]
    more = {"measured": MEASURED} if "measured" in inspect.signature(one).parameters else {}
    for answer in [*hostile(), None, 3, "text", np.ones(2)]:
        verdict = one(*[answer] * len(asked), seed=1, **more)
        assert verdict.right in (False, None) and verdict.text, answer
        assert isinstance(repr(verdict), str)


@pytest.mark.parametrize("one", list(checks()))
def test_a_stub_is_met_kindly_first_thing(one):
    def stub(*arguments):
        raise NotImplementedError

    asked = [name for name in inspect.signature(one).parameters if name not in ("seed", "measured")]
    more = {"measured": MEASURED} if "measured" in inspect.signature(one).parameters else {}
    verdict = one(*[stub] * len(asked), **more)
    assert verdict.right is None and repr(verdict).startswith("◌ not written yet")


# --- tries, hints, the solution ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", list(checks()))
def test_every_exercise_has_three_hints_and_its_solution_without_them(one):
    name = next(path.stem for path in FOLDER.glob(f"*_{one.__module__.split('.')[2]}.py"))
    way = ways(name)[one.__name__]
    assert len(way.hints) == len(HINTS) and all(way.hints) and "# 1." not in way.solution and "def " in way.solution


def test_the_hints_are_folded_one_in_the_other():
    html = check.log_pr(wrong, 0)._repr_html_()
    places = [html.index(title) for title in HINTS]
    assert places == sorted(places) and html.count("<details>") == 3 and html.endswith("</details>" * 3)


def test_the_solution_folds_out_after_three_different_tries():
    for _ in range(5):
        assert check.log_pr(wrong, 0).solution == ""
    assert check.log_pr(another, 0).solution == ""
    verdict = check.log_pr(a_third, 0)
    assert verdict.solution.endswith(sections("01_log_probability")["log_pr"].strip().rpartition("\n")[2])
    assert "The solution" in verdict._repr_html_()
    assert check.perplexity(lambda *a: 1.0, 0).solution == ""


def test_a_stub_is_not_a_try():
    def stub(*arguments):
        raise NotImplementedError

    for _ in range(4):
        verdict = check.log_pr(stub, 0)
    assert verdict.right is None and verdict.solution == "" and len(verdict.hints) == 3


def test_in_a_notebook_tries_and_predictions_are_kept_in_a_file_beside_it(notebook):
    check.log_pr(wrong, 0)
    check.log_pr(wrong, 0)
    check.log_pr(another, 0)
    check.underflow("about 20", 30)
    check.underflow(None, 30)
    kept = json.loads(notebook.read_text(encoding="utf-8"))["01_log_probability"]
    assert [entry["right"] for entry in kept["tries"]["log_pr"]] == [False, False]
    (prediction,) = kept["predictions"]["underflow"]
    assert prediction["right"] is True and prediction["said"] == "'about 20'"


def test_elsewhere_no_file_is_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    check.log_pr(wrong, 0)
    assert not list(tmp_path.iterdir())


def test_tries_outlast_the_process(notebook, monkeypatch):
    check.log_pr(wrong, 0)
    check.log_pr(another, 0)
    monkeypatch.setattr(progress, "KEPT", {progress.MARK: 1})
    assert check.log_pr(a_third, 0).solution


@pytest.mark.parametrize("content", ["", "no JSON", "[1]", '{"mine": 1}', "\x00", '{"minisft progress": 1'])
def test_a_file_of_that_name_which_is_not_ours_stays_as_it_is(notebook, content):
    notebook.write_text(content, encoding="utf-8")
    assert check.log_pr(wrong, 0).right is False
    assert notebook.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("inner", [3, [], {"tries": 1}, {"tries": {"log_pr": 1}}, {"tries": {"log_pr": [1, None]}}])
def test_a_file_of_ours_that_somebody_has_changed_breaks_nothing(notebook, inner):
    notebook.write_text(json.dumps({progress.MARK: 1, "01_log_probability": inner}), encoding="utf-8")
    assert check.log_pr(wrong, 0).right is False
    kept = json.loads(notebook.read_text(encoding="utf-8"))["01_log_probability"]["tries"]["log_pr"]
    assert [entry["right"] for entry in kept] == [False]


def test_a_folder_that_cannot_be_written_to_breaks_no_check(notebook, monkeypatch):
    def refused(*arguments):
        raise PermissionError("read-only")

    monkeypatch.setattr(progress, "write_atomically", refused)
    for answer in (wrong, another):
        check.log_pr(answer, 0)
    assert check.log_pr(a_third, 0).solution and not notebook.exists()


@pytest.mark.parametrize("prediction", [np.ones(3), [], {}, object(), 1j, ("a",), float("nan"), b"x"])
def test_whatever_is_predicted_is_met_with_a_sentence(prediction):
    assert check.underflow(prediction, 30).right is None


def test_a_function_of_the_check_is_no_answer():
    assert "the check's own" in check.log_pr(check.log_pr, 0).text


@pytest.mark.parametrize("answer", [three_states.flip_steps, lambda right: three_states.flip_steps(right)])
def test_a_tool_of_the_check_is_no_answer_either_though_a_notebook_uses_it(answer):
    assert "is the check's own" in three_states.flip_step(answer, 0).text
    assert three_states.flip_steps(np.ones((3, 2), bool)).tolist() == [0, 0]
