"""Change minisft by machine, one small place at a time, and see how many changes the tests notice.

    python tests/planted/mutants.py --count 200 --seed 0        200 of them, drawn at random; all if there are no more
    python tests/planted/mutants.py --list                      how many there are, file by file

bugs/ holds mistakes people make; these are mistakes nobody thought of. An operator is exchanged, a constant is one
more, a sign or a statement is missing. Here any test that fails, however, has noticed, and so has one that never ends.
The table shows those that nobody noticed; the exit code is 0 if at least 95 % were. Some change nothing that a test
could see: equivalent.py lists them with the reason, and they count neither way. Not part of `pytest`.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from changes import Mutant, mutants_of
from equivalent import EQUIVALENT
from rich.console import Console
from rich.progress import track
from rich.table import Table
from run import AT_A_TIME, PRELOADED, ROOT, Verdict, asked, copy_of_the_repository, verdict

FILES = sorted(f"layers/{path.name}" for path in (ROOT / "minisft/layers").glob("*.py"))
FILES += ["objective.py", "model.py", "optim.py", "data.py", "formats/rows.py", "train.py", "accidents.py"]
ORDER = ["layers", "objective", "model", "optim", "data", "train", "gradcheck", "params"]
ORDER += ["accidents", "generate", "evaluate", "golden", "train_only", "doors", "families"]
ENOUGH = 0.95
LIMIT = 60  # seconds for one mutant


def ask(place: Path, file: str, about: str = "") -> Verdict:
    """Run the files of tests on a copy, the likeliest first, until anything fails."""
    return verdict(place, asked(file, ORDER), about, LIMIT, any_failure=True)


def mutate(mutant: Mutant) -> bool:
    """True if a test noticed."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        (place / "minisft" / mutant.file).write_text(mutant.source, encoding="utf-8")
        return noticed(ask(place, mutant.file, mutant.about))


def noticed(found: Verdict) -> bool:
    return found.caught_by is not None or bool(found.others)


def hunt(mutants: list[Mutant]) -> list[bool]:
    """Whether each was noticed, in their order."""
    screen = Console(stderr=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(
            track(
                pool.map(mutate, mutants),
                "mutating",
                len(mutants),
                console=screen,
                transient=True,
                disable=not screen.is_terminal,
            )
        )


def report(mutants: list[Mutant], killed: list[bool], console: Console) -> float:
    """Print what survived and the share of what did not, which is returned."""
    survivors = Table("file", "line", "before", "after", title="not noticed", show_lines=True)
    ran, dead = Counter(), Counter()
    for mutant, is_dead in zip(mutants, killed):
        ran[mutant.file] += 1
        dead[mutant.file] += is_dead
        if not is_dead:
            survivors.add_row(mutant.file, str(mutant.line), mutant.before, mutant.after)
    if survivors.row_count:
        console.print(survivors)
    shares = Table("file", title="noticed")
    for name in ("of", "noticed", "share"):
        shares.add_column(name, justify="right")
    for file in [*(file for file in FILES if ran[file]), "all"]:
        of, hit = (ran.total(), dead.total()) if file == "all" else (ran[file], dead[file])
        shares.add_row(file, str(of), str(hit), f"{100 * hit / max(of, 1):.1f} %")
    console.print(shares)
    return dead.total() / max(ran.total(), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--file", help="of this file of minisft only, such as optim.py")
    parser.add_argument("--list", action="store_true", help="count them and stop")
    arguments = parser.parse_args()
    console = Console(markup=False, highlight=False)
    every = [mutant for file in FILES if arguments.file in (None, file) for mutant in mutants_of(file)]
    stale = EQUIVALENT.keys() - {mutant.key for file in FILES for mutant in mutants_of(file)}
    if stale:
        console.print("listed as equivalent, but not a mutant: " + "; ".join(map(str, sorted(stale))))
        return 2
    if arguments.list:
        for file, count in Counter(mutant.file for mutant in every).items():
            console.print(f"{count:5} {file}")
        console.print(f"{len(every):5} in all, {len(EQUIVALENT)} of them equivalent")
        return 0
    drawn = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))
    mutants = [mutant for mutant in drawn if mutant.key not in EQUIVALENT]
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    with contextlib.suppress(ValueError):  # no such method on this system: each process loads everything itself
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        place = Path(name).resolve()
        copy_of_the_repository(place)
        unchanged = ask(place, FILES[0])
    if noticed(unchanged):
        console.print(f"fails without any change: {unchanged.caught_by or ', '.join(unchanged.others)}")
        return 2
    share = report(mutants, hunt(mutants), console)
    if len(drawn) > len(mutants):
        console.print(f"{len(drawn) - len(mutants)} more were drawn that are equivalent")
    return 0 if share >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
