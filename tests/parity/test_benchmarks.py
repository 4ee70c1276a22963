"""`python -m benchmarks` runs, and compares losses and gradients before it times anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def benchmarks(*arguments):
    line = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_a_real_step_is_compared_with_padded_and_with_matched_pytorch(tmp_path):
    done = benchmarks("--quick", "--sizes", "tiny", "--rows", "B", "C", "--json", tmp_path / "rows.json")
    assert not done.returncode, done.stderr
    rows = {row["row"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert set(rows) == {"B", "C", "G memory"}
    for row in (rows["B"], rows["C"]):
        kernel = min(row["r"], key=lambda name: abs(row["r"][name] - 1))
        assert row["fair"] == row["raw"][kernel]["ratio"] / row["r"][kernel]
        assert abs(row["fill"] - 0.46) < 0.01
    assert all(
        row["faults"][side] <= 10 for row in (rows["B"], rows["C"]) for side in row["faults"] if "minisft" in side
    )


def test_sides_that_disagree_are_not_timed(tmp_path):
    """Another learning problem on one side: the other's loss differs, so no ratio is printed."""
    for name in ("benchmarks", "minisft"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "benchmarks").unlink()
    (tmp_path / "benchmarks").mkdir()
    for path in (ROOT / "benchmarks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / "benchmarks" / path.name).write_text(text.replace("np.where(s.is_y[1:],", "np.where(~s.is_y[1:],"))
    line = [sys.executable, "-m", "benchmarks", "--quick", "--sizes", "tiny", "--rows", "B"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode and "differ by" in done.stderr and "≥" not in done.stdout
