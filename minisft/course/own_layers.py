"""The model run by what a student wrote: `with mine(linear=…, attention=…) as layers: finetune(…)`.

Within it the library's backward of each layer named is the student's; so are `data.weights` and `data.collate`. Each
call is compared with the library's on the same numbers, so the first part that differs is known; afterwards come the
cases that a run may not meet. What is not written, or stops, is stood in for by the library.
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
from minisft.course.own_corners import Gate, corners
from minisft.course.own_results import TOLERANCE, arrays, copied, distance, poorer, restore, results
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
TOO_FAR = 1e3  # in parts of the right size: with such a gradient the run would end in numbers that are not finite


@dataclass
class Layer:
    """One layer of the model, and what its calls have shown."""

    name: str
    answer: object  # the student's function, None: not given
    calls: int = 0
    largest: float = 0.0  # difference from the library's, in parts of its largest number
    last: tuple = ()  # the arrays that it returned last
    wrong: str = ""  # what differed first, and where
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

    def __exit__(self, kind, *error):
        for name, backward in self.library.items():
            setattr(MODULES[name], FUNCTIONS[name], backward)
        if kind is None:
            self.try_corners()

    def try_corners(self):
        """The cases that the run need not have met, for every layer that was right in it."""
        for layer in self.layers:
            library = one_head if layer.name == "attention" else self.library[layer.name]
            for what, arguments in corners(layer.name) if layer.calls and not layer.wrong else ():
                self.called(layer, adapted(layer), library, arguments, f"{what}, which this run does not meet")

    def way_in(self, layer):
        """What the model calls instead of the library's backward."""
        library, student = self.library[layer.name], adapted(layer)
        if layer.name != "attention":
            return lambda *arguments: self.called(layer, student, library, arguments)
        whole = by_heads(lambda *arguments: self.called(layer, student, one_head, arguments))
        return lambda *arguments: (library if self.comparing else whole)(*arguments)

    def called(self, layer, student, library, arguments, where=""):
        """The student's result, compared with the library's; the library's where there is none."""
        if self.comparing or not layer.own:
            return library(*arguments)
        parameters = len(arguments) == 4 and isinstance(arguments[1], (Branch, SimpleNamespace))
        g = arguments[1] if parameters else None
        theirs, before = copied(g), copied(g)
        self.comparing = True
        try:
            wanted = library(*((arguments[0], theirs, *arguments[2:]) if parameters else arguments))
        finally:
            self.comparing = False
        layer.calls += not where
        where = where or f"in call {layer.calls}"
        others = [argument for argument in arguments if argument is not g]
        kept = [array.copy() for _, array in named(others)]
        try:
            found = within(SECONDS, lambda: student(*arguments))
            self.require_unchanged(layer, named(others), kept, where)
            if self.compare(layer, results(found, wanted, g, theirs, before), where) <= TOO_FAR:
                return self.taken(layer, found, wanted, [array for _, array in named(others)], where)
        except NotImplementedError:
            layer.stopped = "not written yet"
        except (Exception, Overtime) as error:
            layer.stopped = f"it stops with {type(error).__name__}: {one_line(error)}{own_lines(error)}"
        for (_, array), value in zip(named(others), kept):
            array[...] = value
        restore(g, theirs)
        return wanted

    def compare(self, layer, pairs, where):
        """The largest difference of this call; NaN counts as infinite."""
        largest = 0.0
        for name, found, wanted, size in pairs:
            if np.shape(found) != np.shape(wanted):
                raise ValueError(f"{name} has the shape {np.shape(found)} where {np.shape(wanted)} is right")
            if poorer(found, wanted):
                self.blame(layer, f"{name} is {found.dtype} where {wanted.dtype} is right, {where}")
            off = distance(found, wanted, size)
            largest = max(largest, off) if off == off else np.inf
            if not off <= TOLERANCE.get(np.asarray(wanted).dtype, 0):
                self.blame(layer, f"{name}, {where}, by {off:.1e} of its size")
        layer.largest = max(layer.largest, largest)
        return largest

    def require_unchanged(self, layer, others, kept, where):
        """Blames a change of an argument, and takes it back."""
        for (name, array), value in zip(others, kept):
            if not np.array_equal(array, value, equal_nan=array.dtype.kind in "fc"):
                array[...] = value
                self.blame(layer, f"it changes {name}, {where}: others still need it")

    def taken(self, layer, found, wanted, arguments, where):
        """What the model goes on with: arrays of its own, so that nothing can be changed behind its back."""
        if isinstance(wanted, data.Batch) or wanted is None:
            return found if wanted is not None else None
        several = isinstance(wanted, tuple)
        given = tuple(map(np.asarray, found)) if several else (np.asarray(found),)
        if any(np.may_share_memory(mine, other) for mine in given for other in (*layer.last, *arguments)):
            text = f"what it returns shares memory with an argument or an earlier result, {where}: return a new array"
            self.blame(layer, text)
        layer.last = given
        own = tuple(np.array(mine.real, right.dtype) for mine, right in zip(given, wanted if several else (wanted,)))
        return own if several else own[0]

    def blame(self, layer, text):
        if not layer.wrong:
            layer.wrong, self.first = text, self.first or layer

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
        if off > 1e-3:
            return Verdict(False, f"each call is right by itself, and the curve differs by {off:.0e} nats")
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
        return layer.answer(p, g, Gate(cache.gate, a, cache.b, cache.s), dy)

    return with_the_names_of_the_derivation


def batch(arrays, sequences, dtype):
    ids, targets, weights, starts = map(np.asarray, arrays)
    return data.Batch(ids, targets, weights.astype(dtype), starts, np.concatenate([s.is_y[1:] for s in sequences]))


def named(arguments):
    """The arrays of a backward's arguments, by the names that the exercises give them; the last is dy."""
    names = ["p", "the cache", "dy"][-len(arguments) :] if len(arguments) < 5 else ["q", "k", "v", "P", "do"]
    return [pair for name, argument in zip(names, arguments) for pair in arrays(argument, name)]
