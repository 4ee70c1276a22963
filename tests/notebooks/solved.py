"""The students' copy with the exercises solved, in such a way that one execution proves stub and solution."""


def with_solutions(notebook: dict, solutions: dict[str, str]) -> dict:
    """After the cell that checks an exercise: its solution, and that cell once more.

    The metadata of a checking cell says under "expected" how its verdict begins: ◌ for the stub, ✓ for the solution.
    """
    cells, name = [], None
    for cell in notebook["cells"]:
        cells.append(cell)
        if name:
            cells[-1] = expecting(cell, "◌", "stub")
            cells.append(cell | {"id": f"{cell['id']}-solution", "metadata": {}, "source": solutions[name].strip()})
            cells.append(expecting(cell, "✓", "solved"))
        name = cell["metadata"].get("exercise")
    return notebook | {"cells": cells}


def expecting(cell, sign, suffix):
    return cell | {"id": f"{cell['id']}-{suffix}", "metadata": {"expected": sign}}
