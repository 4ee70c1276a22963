"""Execute one notebook in an empty folder, and say what is wrong with what it shows.

    python tests/notebooks/execute.py NOTEBOOK

Prints one JSON object: seconds by the clock, cpu_seconds and megabytes (the peak) of the kernel and its processes,
cores (2 where it starts processes), and problems, sentences: an exception, anything on standard error, a warning, ✗, a
verdict other than a cell expects, a file left behind.
"""

import json
import os
import resource
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
from matplotlib import font_manager  # noqa: F401  finds the machine's fonts, once, before the clock starts
from nbclient import NotebookClient

from minisft.course.grading import progress

KILOBYTE = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
LIMIT = 300  # seconds for one cell


def execute(path: Path) -> dict:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "IPYTHONDIR": profile}
        began = time.perf_counter()
        place = {"metadata": {"path": folder}}
        with watched() as (resident, counts):
            NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", allow_errors=True, resources=place).execute()
        seconds = time.perf_counter() - began
        left = sorted(set(os.listdir(folder)) - {progress.NAME})  # which the checks keep beside a notebook
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)
    problems = [f"cell {i}: {what}" for i, cell in enumerate(notebook.cells) for what in problems_of(cell)]
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(kernel.ru_utime + kernel.ru_stime, 1),
        "cores": min(2, max(counts)),
        "megabytes": max(kernel.ru_maxrss * KILOBYTE, *resident) // 1_000_000,  # one process, exactly; all, sampled
        "problems": problems + [f"it leaves a file behind: {name}" for name in left],
    }


@contextmanager
def watched():
    """Yields two lists that grow, ten times a second: bytes resident in all processes below this one, and how many."""
    resident, counts, over = [0], [1], threading.Event()

    def look():
        while not over.wait(0.1):
            below = psutil.Process().children(recursive=True)
            resident.append(sum(map(bytes_of, below)))
            counts.append(len(below))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield resident, counts
    finally:
        over.set()
        watcher.join()


def bytes_of(process):
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0  # it has ended since it was listed


def problems_of(cell):
    """What is wrong with the outputs of a cell that has run."""
    shown = [text_of(output) for output in cell.get("outputs", [])]
    for output, text in zip(cell.get("outputs", []), shown):
        if output.output_type == "error":
            yield f"{output.ename}: {output.evalue}"
        elif output.get("name") == "stderr" or "Warning" in text:
            yield f"a warning, or something on standard error: {text.strip()}"
        elif "✗" in text:
            yield text.strip()
    expected = cell.metadata.get("expected", "")
    if not (shown or [""])[-1].startswith(expected):
        yield f"{expected} expected, but it shows: {' '.join(shown).strip() or 'nothing'}"


def text_of(output):
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


if __name__ == "__main__":
    print(json.dumps(execute(Path(sys.argv[1])), ensure_ascii=False))
