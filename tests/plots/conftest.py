"""Pictures to look at: ordinary ones, and ones of odd data."""

import numpy as np
from matplotlib.text import Text

from minisft import plots
from minisft.course.three_states import path_plane

TOKENS = ["The", " capital", " of", " K", "enya", " is", " Nair", "obi", ".", "<|im_end|>"]
KENYA = "Kenya is in Africa. A map of Africa shows Kenya. "
SERIES = {
    "θ̂: before fine-tuning": [(0, 0.0)],
    "θ̃: conditional log Pr(y|x)": [(0, 0.0), (30, 0.7), (60, 0.84)],
    "joint log Pr(x, y)": [(0, 0.0), (30, 0.3), (60, 0.46)],
    "conditional, from random initialisation": [(0, 0.0), (30, 0.0), (60, 0.0)],
}


def heat(rows=12, columns=10):
    return -np.random.default_rng(0).gamma(1, 2, (rows, columns))


def demo(series=SERIES, steps=range(0, 60, 5), tokens=TOKENS, question="What is the capital of Kenya?", answers=None):
    answers = [(0, KENYA * 9), (60, "The capital of Kenya is Nairobi.")] if answers is None else answers
    return plots.demo_picture(
        series, heat(len(steps), len(tokens)), list(steps), tokens, question, answers, "From θ̂ to θ̃ in 60 steps"
    )


def plane():
    a, b = np.linspace(-1, 3, 9), np.linspace(-1, 1, 7)
    values = (a - 2) ** 2 + 3 * b[:, None] ** 2
    path = np.array([(0, 0), (0.5, 0.4), (1.5, 0.5), (2, 0)])
    return path_plane(path, (a, b), values, "The path in its plane", "nats per token")


EVERY = {
    "curves": lambda: plots.curves(SERIES, "step $t$", "−J (nats per token)", "Loss of θ_t"),
    "heat map": lambda: plots.heat_map(heat(), list(range(0, 60, 5)), TOKENS, "One answer"),
    "bars": lambda: plots.bars([0.2, -0.5, 0.1], ["θ̂", "θ̃", "random"], "log Pr(y|x)", "nats"),
    "path": plane,
    "demo": demo,
    "curves of one step": lambda: plots.curves({"θ̂": [(0, 1.0)]}, "step $t$", "−J (nats)"),
    "curves that end together": lambda: plots.curves(
        {
            name: [(0, 0), (9, 1 + i / 99)]
            for i, name in enumerate(["θ̂", "θ_t", "θ̃", "x", "y", "λ = 0.1 and long", "z"])
        },
        "step $t$",
        "J (nats)",
    ),
    "heat map of one step and one token": lambda: plots.heat_map(np.array([[-30.0]]), [0], ["\n"]),
    "heat map of many steps and odd tokens": lambda: plots.heat_map(
        heat(61, 60), list(range(61)), ["\n", "$", "東", "\x00", "a_b^{", "\\frac", "x" * 99, " ", "$x$", ""] * 6
    ),
    "bars without labels": lambda: plots.bars(heat(1, 512)[0]),
    "bars of odd tokens": lambda: plots.bars(np.zeros(9), ["$", "$$", "東", "\n", " a", "\\", "x" * 99, "", "$x$"]),
    "path of equal values": lambda: path_plane(np.eye(2), ([0, 1], [0, 1]), np.ones((2, 2))),
    "demo with odd texts": lambda: demo(
        {"θ̂": [(0, 0.0)]}, [0], ["\n"], "Q" * 300 + "$\n", [(t, "a $ b $\n東" * 50) for t in range(0, 10**5, 10**4)]
    ),
}


def texts(figure, kind=Text):
    return [text for text in figure.findobj(kind) if text.get_visible() and text.get_text()]


def texts_of(figure):
    return [text.get_text() for text in texts(figure)]
