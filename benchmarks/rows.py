"""The rows of the table, A to G, and how each is measured. A row is a dict: what the JSON holds and the table shows."""

import json
import statistics
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import sizes
from benchmarks.measure import Worker, alternate, checkpoint_of, kernels, named, prepare, ratios, workers
from benchmarks.sizes import Size

GOALS = {  # fair ratios, tiny / small / base; F and G are raw
    "A": (1.15, 1.05, 1.00),
    "B": (2.6, 2.2, 2.2),
    "C": (1.4, 1.1, 1.0),
    "D": (2.0, 1.8, 2.0),
    "E": (1.0, 1.0, 1.0),
    "F1": (2.5, 2.0, 1.7),
    "F8": (1.8, 1.3, 1.1),
    "G start": (10, 8, None),
    "G memory": (0.25, 0.40, 0.75),
}
SGEMM_SHARE = (0.55, 0.70, 0.80)
NAMES = {
    "A": "equal work, eager",
    "B": "a real SFT step, padded eager",
    "C": "the same, matched",
    "D": "the same as B, two cores",
    "E": "equal work, compiled",
    "F1": "greedy decoding, batch 1",
    "F8": "greedy decoding, batch 8",
    "G start": "start to the first step",
    "G memory": "peak memory",
}


def goal(row: str, name: str):
    return GOALS[row][list(sizes.SIZES).index(name)] if name in sizes.SIZES else None


def sgemm(found: dict[str, Worker], size: Size, pairs: int) -> dict[str, float]:
    """{name: GFLOP/s} over the products with weights of one forward of the model, each side in turn."""
    shapes = sizes.products(size, sizes.uniform(size))
    seconds = dict.fromkeys(found, 0.0)
    for shape in set(shapes):
        samples, _ = alternate(found, pairs, "product", "cpu", 0.03, shape=shape)
        for name in found:
            seconds[name] += shapes.count(shape) * statistics.median(samples[name])
    flop = sum(2 * a * b * c for a, b, c in shapes)
    return {name: flop / value / 1e9 for name, value in seconds.items()}


def compared(row: str, name: str, found: dict, against: str, samples: dict, speeds: dict | None) -> dict:
    """One row: raw ratios under every kernel, and the fair one: divided by r, under the kernel whose r is nearest 1."""
    raw, r = {}, {}
    for kernel in kernels():
        ours = f"minisft {named(kernel)}"
        raw[named(kernel)] = ratios(samples[ours], samples[against])
        if speeds:
            r[named(kernel)] = speeds[ours] / speeds[against]
    result = {"row": row, "size": name, "against": against, "raw": raw, "goal": goal(row, name)}
    result["ms"] = {side: 1e3 * statistics.median(values) for side, values in samples.items()}
    if r:
        nearest = min(r, key=lambda kernel: abs(r[kernel] - 1))
        result |= {"r": r, "kernel": nearest, "fair": raw[nearest]["ratio"] / r[nearest]}
    return result


def fill(sequences) -> float:
    lengths = [len(s.ids) - 1 for s in sequences]
    return sum(lengths) / (len(lengths) * max(lengths))


def equal_work(name: str, size: Size, pairs: int, compiled: bool):
    """A, E, and the fraction of sgemm that a step reaches."""
    with workers(size, ["minisft", "eager", *(["compiled"] if compiled else [])]) as found:
        prepare(found, "uniform")
        samples, last = alternate(found, pairs, "step", "cpu")
        speeds = sgemm(found, size, pairs)
        a = compared("A", name, found, "eager", samples, speeds)
        flop = sizes.flop(size, sizes.uniform(size))
        a["share_of_sgemm"] = {
            side: flop / statistics.median(samples[side]) / 1e9 / speeds[side] for side in samples if "minisft" in side
        }
        a["sgemm"], a["faults"] = speeds, {side: last[side]["faults"] for side in last}
        a["kernels"] = {side: worker.ask("about")["kernel"] for side, worker in found.items()}
        yield a
        if compiled:
            yield compared("E", name, found, "compiled", samples, speeds)


def real_step(name: str, size: Size, pairs: int):
    """B and C; and G's memory, since these processes have made steps of the real kind and nothing else."""
    with workers(size, ["minisft", "eager", "matched"]) as found:
        prepare(found, "variable")
        samples, last = alternate(found, pairs, "step", "cpu")
        peaks = {side: worker.ask("about")["peak_kB"] / 1e3 for side, worker in found.items()}
        speeds = sgemm(found, size, pairs)
        for row, against in (("B", "eager"), ("C", "matched")):
            result = compared(row, name, found, against, samples, speeds)
            yield result | {"fill": fill(sizes.variable(size)), "faults": {side: last[side]["faults"] for side in last}}
        ours = f"minisft {named(kernels()[0])}"
        fraction = peaks[ours] / peaks["eager"]
        yield {"row": "G memory", "size": name, "MB": peaks, "fraction": fraction, "goal": goal("G memory", name)}


def two_cores(name: str, size: Size, pairs: int):
    """D: two ranks (or, without MPI, two BLAS threads) beside PyTorch with two threads; wall time."""
    ranks = 2 if find_spec("mpi4py") else 1
    with workers(size, ["minisft", "eager"], threads=2, ranks=ranks) as found:
        prepare(found, "variable")
        samples, _ = alternate(found, 3 * pairs, "step", "wall", 0.3)
    if not all(samples.values()):
        yield {"row": "D", "size": name, "goal": goal("D", name), "busy": True}
        return
    with workers(size, ["minisft", "eager"]) as alone:
        speeds = sgemm(alone, size, 3)
    result = compared("D", name, found, "eager", samples, speeds)
    yield result | {"fill": fill(sizes.variable(size)), "by": f"{ranks} ranks" if ranks > 1 else "2 BLAS threads"}


def decoding(name: str, size: Size, pairs: int):
    """F: tokens a second after a prompt of 8 tokens, to the end of the context; both must choose the same tokens."""
    with workers(size, ["minisft", "eager"]) as found:
        for count in (1, 8):
            prompts = [[(7 * i + j) % size.vocabulary for j in range(8)] for i in range(count)]
            new = min(size.context, 128) - 8
            samples, last = alternate(found, pairs, "answer", "cpu", prompts=prompts, new=new)
            first, *others = (answer["ids"] for answer in last.values())
            agree = [sum(a == b for x, y in zip(first, other) for a, b in zip(x, y)) for other in others]
            result = compared(f"F{count}", name, found, "eager", samples, None)
            result["tokens_per_second"] = {side: count * new / (ms / 1e3) for side, ms in result["ms"].items()}
            yield result | {"same_tokens": min(agree) / (count * new)}


def cold_start(name: str, size: Size, pairs: int):
    """G: from the start of the process through imports and loading to the end of the first step; wall time."""
    seconds = {"minisft": [], "eager": []}
    with checkpoint_of(size) as checkpoint:
        for _ in range(pairs):
            for side, taken in seconds.items():
                worker = Worker(side, size, checkpoint, kernel=kernels()[0])
                worker.ask("prepare", data="variable")
                first = worker.ask("step", times=1)["wall"]
                worker.close()
                taken.append(worker.seconds_to_start + first)
    ratio = ratios(seconds["minisft"], seconds["eager"])
    medians = {side: statistics.median(taken) for side, taken in seconds.items()}
    yield {"row": "G start", "size": name, "raw": {"any": ratio}, "seconds": medians, "goal": goal("G start", name)}


GROWTH = {"length": (64, 128, 256, 512, 1024), "width": (32, 64, 128, 256, 512), "batch": (1, 2, 4, 8, 16, 32)}


def growth(pairs: int):
    """Equal work against eager, while one size grows and the others stay."""
    for what, values in GROWTH.items():
        for value in values:
            size = sizes.grown(what, value)
            with workers(size, ["minisft", "eager"]) as found:
                prepare(found, "uniform")
                samples, _ = alternate(found, pairs, "step", "cpu")
                result = compared("A", f"{what} {value}", found, "eager", samples, sgemm(found, size, 3))
            yield result | {"row": "growth", "what": what, "value": value}


def written(rows: list[dict], path: str):
    with TemporaryDirectory(dir=Path(path).resolve().parent) as folder:
        beside = Path(folder) / "rows.json"
        beside.write_text(json.dumps(rows, indent=1) + "\n")
        beside.replace(path)
