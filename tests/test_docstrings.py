"""Every public function of the subject says what goes in and what comes out: shapes, units, errors and sources."""

import ast
import re

import pytest
from test_house import MODULES, SUBJECT, TREES, room

SHAPE = re.compile(r"\((?:[A-Z]{1,2}\d?|n|out|\d)(?: [+−] 1| [A-Z]+)?(?:, ?[^()]*)?\)")  # (N,), (out, in), (S + 1,)
SOURCE = re.compile(r"arXiv|\d{4}\.\d{5}|eq\. \d|ch\. \d|et al\.|, \d{4}\)|[Tt]he book")
PLAIN = {"layers.linear"}  # what everybody knows
CITED = [name for name in MODULES if name.startswith("layers.") and name not in PLAIN]
CITED += ["gradcheck", "objective", "optim", "trajectory"]
IN_NATS = re.compile(r"log_prob|log_softmax|^kl$|loss|entropy|value_and_grad|step_metrics|^summary$|measured")


def public(body, inside=""):
    """(name, node) of every public class, function and method."""
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            yield inside + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


FOUND = {
    f"{module}.{name}": (module, node)
    for module, path in MODULES.items()
    if room(module) in SUBJECT
    for name, node in public(TREES[path].body)
}
LINES = {module: path.read_text(encoding="utf-8").splitlines() for module, path in MODULES.items()}


def source(module, node):
    return "\n".join(LINES[module][node.lineno - 1 : node.end_lineno])


def is_lesson(module, node):
    """forward, backward and example of a layer: the derivation stands above them, and the shapes beside their lines."""
    return (room(module) == "layers" or module == "objective") and node.name in ("forward", "backward", "example")


each = pytest.mark.parametrize("name", FOUND)


def test_the_functions_are_found():
    assert len(FOUND) > 200 and {"train.step", "data.Batch.split", "layers.linear.forward"} <= set(FOUND)


@each
def test_it_has_a_docstring_or_is_a_lesson_below_its_derivation(name):
    module, node = FOUND[name]
    assert ast.get_docstring(node) or is_lesson(module, node)
    assert ast.get_docstring(TREES[MODULES[module]])


@each
def test_an_array_has_its_shape(name):
    module, node = FOUND[name]
    if isinstance(node, ast.ClassDef) or node.name == "example":
        return
    given = [argument.annotation for argument in node.args.args + node.args.kwonlyargs] + [node.returns]
    arrays = any(note is not None and "ndarray" in ast.unparse(note) for note in given)
    if arrays or is_lesson(module, node):
        said = source(module, node) if is_lesson(module, node) else ast.get_docstring(node)
        assert SHAPE.search(said) or "shape of" in said or "shapes of" in said


@each
def test_it_says_what_it_refuses(name):
    _, node = FOUND[name]
    raises = [part for part in ast.walk(node) if isinstance(part, ast.Raise) and part.exc]
    if any("MinisftError" in ast.unparse(part.exc) for part in raises) and isinstance(node, ast.FunctionDef):
        assert re.search(r"Raises|[Rr]efuse", ast.get_docstring(node))


@each
def test_a_logarithm_of_a_probability_has_its_unit(name):
    _, node = FOUND[name]
    if isinstance(node, ast.FunctionDef) and IN_NATS.search(node.name):
        assert "nats" in ast.get_docstring(node)


@pytest.mark.parametrize("module", CITED)
def test_formulas_have_a_source(module):
    assert SOURCE.search(ast.get_docstring(TREES[MODULES[module]]))
