"""The model run by what a student wrote: `with mine(linear=…, attention=…) as layers: finetune(…)`.

Within it the library's backward of each layer named is the student's; so are `data.weights` and `data.collate`. Each
call is compared with the library's on the same numbers, so the first part that differs is known. What is not written,
or stops, is stood in for by the library.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from minisft import data, objective
from minisft.course.display import table
from minisft.course.grading.excerpts import own_lines
from minisft.course.grading.limits import SECONDS, Overtime, within
from minisft.course.grading.verdict import Verdict
from minisft.course.own_attention import by_heads, one_head
from minisft.errors import one_line
from minisft.layers import attention, embedding, linear, rmsnorm, rotary, swiglu
from minisft.params import Branch

MODULES = {
    "collate": data,
    "weights": data,
    "objective": objective,
    "linear": linear,
    "rmsnorm": rmsnorm,
    "swiglu": swiglu,
    "attention": attention,
    "rotary": rotary,
    "embedding": embedding,
}
FUNCTIONS = {name: name if module is data else "backward" for name, module in MODULES.items()}
TOLERANCE = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-3}  # above rounding, below any mistake


@dataclass
class Layer:
    """One layer of the model, and what its calls have shown."""

    name: str
    answer: object  # the student's function, None: not given
    calls: int = 0
    largest: float = 0.0  # difference from the library's, in parts of its largest number
    wrong: str = ""  # what differed first, and in which call
    stopped: str = ""  # why the library stands in

    @property
    def own(self) -> bool:
        return self.answer is not None and not self.stopped


class mine:
    """mine(linear=linear_backward, …): a context. Each name of MODULES stands for the function of its exercise.

    `attention` is that of one head; `weights` that of the micro-batches of a step (token_mean); collate(sequences)
    gives the four arrays ids, targets, weights (token_mean, λ = 0) and starts.
    """

    def __init__(self, **answers):
        self.layers = [Layer(name, answers.pop(name, None)) for name in MODULES]
        if answers:
            raise TypeError(f"mine() knows {', '.join(MODULES)}; it does not know {', '.join(answers)}")
        self.library = {name: getattr(module, FUNCTIONS[name]) for name, module in MODULES.items()}
        self.first: Layer | None = None  # that differed
        self.comparing = False

    def __enter__(self):
        for layer in self.layers:
            if layer.answer is not None:
                setattr(MODULES[layer.name], FUNCTIONS[layer.name], self.way_in(layer))
        return self

    def __exit__(self, *error):
        for name, backward in self.library.items():
            setattr(MODULES[name], FUNCTIONS[name], backward)

    def way_in(self, layer):
        """What the model calls instead of the library's backward."""
        library, student = self.library[layer.name], adapted(layer)
        if layer.name != "attention":
            return lambda *arguments: self.called(layer, student, library, arguments)
        whole = by_heads(lambda *arguments: self.called(layer, student, one_head, arguments))
        return lambda *arguments: (library if self.comparing else whole)(*arguments)

    def called(self, layer, student, library, arguments):
        """The student's result, compared with the library's; the library's where there is none."""
        if self.comparing or not layer.own:
            return library(*arguments)
        parameters = len(arguments) == 4 and isinstance(arguments[1], Branch)
        g = arguments[1] if parameters else None
        theirs = copied(g)
        self.comparing = True
        try:
            wanted = library(*((arguments[0], theirs, *arguments[2:]) if parameters else arguments))
        finally:
            self.comparing = False
        before, layer.calls = copied(g), layer.calls + 1
        try:
            found = within(SECONDS, lambda: student(*arguments))
            self.compare(layer, results(found, wanted, g, theirs, before))
            return found if wanted is not None else None
        except NotImplementedError:
            layer.stopped = "not written yet"
        except (Exception, Overtime) as error:
            layer.stopped = f"it stops with {type(error).__name__}: {one_line(error)}{own_lines(error)}"
        restore(g, theirs)
        return wanted

    def compare(self, layer, pairs):
        for name, found, wanted, size in pairs:
            if np.shape(found) != np.shape(wanted):
                raise ValueError(f"{name} has the shape {np.shape(found)} where {np.shape(wanted)} is right")
            off = float(np.abs(found - wanted).max(initial=0) / (np.abs(size).max(initial=0) or 1))
            layer.largest = max(layer.largest, off) if off == off else np.inf
            if not off <= TOLERANCE.get(np.asarray(wanted).dtype, 0) and not layer.wrong:
                layer.wrong = f"{name}, in call {layer.calls}, by {off:.1e} of its size"
                self.first = self.first or layer

    def table(self):
        """Which parts of the model were whose, and how far each was from the library's."""
        return table(["layer", "whose", "calls", "largest difference", ""], [row(layer) for layer in self.shown()])

    def shown(self):
        """The layers of the model, and of what makes a batch those parts that were given."""
        return [layer for layer in self.layers if layer.answer is not None or MODULES[layer.name] is not data]

    def verdict(self, losses, of_the_library) -> Verdict:
        """Two curves, from `mine` and from the library alone."""
        own = [layer.name for layer in self.layers if layer.own and layer.calls]
        stopped = [f"{layer.name}: {layer.stopped}" for layer in self.layers if layer.stopped]
        if self.first:
            return Verdict(False, f"the first layer that differs is {self.first.name}: {self.first.wrong}")
        if any(text.partition(": ")[2] != "not written yet" for text in stopped):
            return Verdict(False, "; ".join(stopped))
        if not own:
            return Verdict(None, "every part is the library's: write a backward, and it runs the model")
        off = float(np.max(np.abs(np.subtract(losses, of_the_library))))
        equal = "bit for bit" if off == 0 else f"to rounding, {off:.0e} nats"
        return Verdict(True, f"{len(losses)} losses through your {', '.join(own)}: the library's curve, {equal}")


def row(layer):
    whose = "yours" if layer.own else "the library's"
    difference = f"{layer.largest:.0e}" if layer.own else ""
    return [layer.name, whose, layer.calls if layer.own else "", difference, layer.stopped or layer.wrong]


def adapted(layer):
    """The student's function, with the cache that its exercise names."""
    if layer.name == "weights":
        return lambda m, starts, reduction: np.concatenate(layer.answer(np.split(m, [len(m) // 2])))
    if layer.name == "collate":
        return lambda sequences, prompt_loss_weight, reduction, dtype: batch(layer.answer(sequences), sequences, dtype)
    if layer.name != "swiglu":
        return layer.answer

    def with_the_names_of_the_derivation(p, g, cache, dy):
        a, _ = linear.forward(p.gate_proj, cache.gate)
        return layer.answer(p, g, (cache.gate, a, cache.b, cache.s), dy)

    return with_the_names_of_the_derivation


def batch(arrays, sequences, dtype):
    ids, targets, weights, starts = map(np.asarray, arrays)
    return data.Batch(ids, targets, weights.astype(dtype), starts, np.concatenate([s.is_y[1:] for s in sequences]))


def results(found, wanted, g, theirs, before):
    """(name, the student's, the library's, what sets the size) of what is returned and of what was added to g."""
    if isinstance(wanted, data.Batch):
        for name in ("ids", "targets", "weights", "starts"):
            yield name, getattr(found, name), getattr(wanted, name), getattr(wanted, name)
    elif isinstance(wanted, tuple):  # of one head: where the parts of a sum cancel, their size says what rounding is
        if not isinstance(found, (tuple, list)) or len(found) != len(wanted):
            raise ValueError("three arrays are wanted: dq, dk, dv")
        yield from ((name, np.asarray(a), b, np.stack(wanted)) for name, a, b in zip(("dq", "dk", "dv"), found, wanted))
    elif wanted is not None:
        yield "what it returns", np.asarray(found), wanted, wanted
    for (name, mine), (_, right), (_, then) in zip(leaves(g), leaves(theirs), leaves(before)):
        yield f"g.{name}", mine, right, right - then


def leaves(branch, name=""):
    for key, value in vars(branch).items() if branch is not None else ():
        if isinstance(value, np.ndarray):
            yield f"{name}{key}", value
        elif isinstance(value, (Branch, SimpleNamespace)):
            yield from leaves(value, f"{name}{key}.")


def copied(branch):
    """The same tree with arrays of its own; None where there is none."""
    if isinstance(branch, np.ndarray):
        return branch.copy()
    return None if branch is None else SimpleNamespace(**{key: copied(value) for key, value in vars(branch).items()})


def restore(g, values):
    for (_, array), (_, value) in zip(leaves(g), leaves(values)):
        array[...] = value
