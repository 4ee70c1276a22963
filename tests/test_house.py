"""The house: who may import whom, and what stands nowhere, or in one place only. Read from the source, not run."""

import ast
from pathlib import Path

import pytest

import minisft

HOUSE = Path(minisft.__file__).parent
APART = {"shipped", "notebooks"}  # folders of data, the solutions of the exercises among it
FILES = sorted(path for path in HOUSE.rglob("*.py") if not APART & set(path.relative_to(HOUSE).parts))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

SUBJECT = {"errors", "config", "params", "objective", "layers", "model", "gradcheck", "data", "tokenizer", "optim"}
SUBJECT |= {"train", "generate", "evaluate", "trajectory", "checkpoint", "parallel", "accidents", "doors"}
SUBJECT |= {"setting", "adapter", "frozen"}
ON_DISK = {"checkpoint", "data", "tokenizer"}  # what of the subject reads and writes files, by means of formats/

# What a folder may import beside itself. All of it stands on the subject; nothing of the subject stands on it.
FOLDERS = {
    "formats": {"errors", "config", "params", "tokenizer", "layers"},
    "runs": SUBJECT | {"formats"},
    "verification": SUBJECT | {"formats"},
    "plots": {"errors", "formats"},
    "lab": SUBJECT | {"formats", "verification"},
    "playground": SUBJECT | {"formats", "runs", "lab"},
    "cli": SUBJECT | {"formats", "runs", "verification", "plots", "lab", "playground", "course"},
    "course": SUBJECT | {"formats", "runs", "verification", "plots", "lab", "playground"},
}
DOORS = {"__init__": {"errors"}, "__main__": {"parallel", "cli"}}  # the two files that are no room


def name_of(path):
    """layers/linear.py -> "layers.linear", layers/__init__.py -> "layers"."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in FILES}


def room(name):
    return name.split(".")[0]


def imported(tree):
    """The modules of minisft that a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full: from minisft.layers import …"
            package, *rest = (node.module or "").split(".")
            if package == "minisft":
                for alias in node.names:
                    deeper = ".".join([*rest, alias.name])
                    yield deeper if deeper in MODULES else ".".join(rest) or "__init__"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                package, *rest = alias.name.split(".")
                if package == "minisft":
                    yield ".".join(rest) or "__init__"


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


def defined(tree):
    """Every function and method that a file defines."""
    return (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))


def test_the_house_is_found():
    assert {"train", "layers.linear", "data"} <= set(MODULES)
    assert set(imported(TREES[HOUSE / "train.py"])) >= {"model", "objective", "optim", "config", "data", "params"}


@each_file
def test_a_file_imports_what_its_room_stands_on(path):
    """The subject stands alone: only what reads or writes files knows formats/, and nothing knows the other folders."""
    here = room(name_of(path))
    if here in SUBJECT:
        allowed = SUBJECT | ({"formats"} if here in ON_DISK else set())
    else:
        assert here in {*FOLDERS, *DOORS}, f"a new room: say in this test what {here} stands on"
        allowed = {here, "__init__"} | FOLDERS.get(here, set()) | DOORS.get(here, set())
    assert {room(name) for name in imported(TREES[path])} <= allowed


def test_no_import_leads_back_to_where_it_came_from():
    """Every file can be read after those it imports: the order in which they are found is such a one."""
    done, open_ = [], []

    def visit(name):
        assert name not in open_, f"a circle: {' -> '.join([*open_, name])}"
        if name not in done:
            open_.append(name)
            for further in imported(TREES[MODULES[name]]):
                visit(further)
            done.append(open_.pop())

    for name in MODULES:
        visit(name)
    assert sorted(done) == sorted(MODULES)


ALLOWED = {"numpy", "minisft", "collections", "functools", "itertools", "typing"}  # in a layer


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(name_of(path)) == "layers"], ids=lambda path: path.stem
)
def test_a_layer_sees_no_config_and_no_other_library_than_numpy(path):
    """Sizes come from the shapes of its arguments."""
    assert {room(name) for name in imported(TREES[path])} <= {"layers", "params"}
    assert {module.split(".")[0] for module in modules(TREES[path])} <= ALLOWED


@each_file
def test_no_file_is_longer_than_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


AGAIN = {"course/grading/intermediates.py"}  # runs a student's own function, of the same process, once more


@each_file
def test_nothing_is_unpickled_evaluated_or_executed(path):
    builtins = {node.id for node in ast.walk(TREES[path]) if isinstance(node, ast.Name)}
    executes = builtins & {"eval", "exec", "compile", "__import__"}
    assert not executes or path.relative_to(HOUSE).as_posix() in AGAIN
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
def test_only_the_console_writes_to_the_terminal_and_makes_what_it_writes_visible(path):
    if name_of(path) == "cli.console":
        return
    calls = [node.func for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]
    assert not {"print", "pprint"} & {call.id for call in calls if isinstance(call, ast.Name)}
    written = {ast.unparse(call) for call in calls if isinstance(call, ast.Attribute)}
    assert not {f"sys.{stream}.{way}" for stream in ("stdout", "stderr") for way in ("write", "writelines")} & written
    assert "rich.console" not in set(modules(TREES[path]))


@each_file
def test_what_a_message_quotes_is_cut(path):
    """By `quoted` or `one_line`: a value in its own spelling may be as long as the file it comes from."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("MinisftError", "ArgumentTypeError"):
            for part in (part for argument in node.args for part in ast.walk(argument)):
                if isinstance(part, ast.FormattedValue):
                    assert part.conversion == -1, ast.unparse(part)
                    called = getattr(part.value, "func", None)
                    assert called is None or ast.unparse(called) not in ("repr", "json.dumps"), ast.unparse(part)


def test_what_a_notebook_shows_as_html_or_markdown_is_made_in_one_place_each():
    shown = {name_of(path): {"_repr_html_", "_repr_markdown_"} & set(defined(TREES[path])) for path in FILES}
    assert {name: ways for name, ways in shown.items() if ways} == {
        "formats.markup": {"_repr_markdown_"},
        "course.grading.verdict": {"_repr_html_"},
        "course.grading.help": {"_repr_html_"},  # of a verdict with hints folded below it
        "course.films": {"_repr_html_"},
    }


@each_file
def test_the_only_arrays_on_disk_are_safetensors(path):
    """numpy's own loader can unpickle, so it is not used."""
    loaders = {"load", "save", "savez", "savez_compressed", "fromfile", "tofile", "memmap"}
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
            assert node.attr not in loaders, f"np.{node.attr}"
