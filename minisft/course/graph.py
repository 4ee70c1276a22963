"""The model drawn once: from token ids to J, and one block of it, forwards with shapes, then the gradients going back.

A layer's number is that of its derivation, the same wherever the layer stands: 1 to 5 in notebook 04, 6 to 9 in 05.
"""

from typing import Any, NamedTuple

from minisft.plots.style import INK, LARGE, SMALL, Picture

BACK, MARKED = "#6a2c91", "#ffe3a3"
NUMBERS = "①②③④⑤⑥⑦⑧⑨"
FORWARD = "one block: N tokens, C channels; H query heads, G key/value heads of D; F channels in SwiGLU; vocabulary V"
BACKWARD = (
    "one block: each gradient has the shape of what it belongs to; below a layer stands what it adds for its parameters"
)

ALT = (
    "The model in one row, from token ids over embedding, blocks, norm and head to J; below it one block in two rows, "
    "attention and SwiGLU, each with a branch that passes it by. Every layer has the number of its derivation."
)
ALT_FORTH = "Arrows run to the right, with the shape of every value."
ALT_BACK = "Dashed arrows run back to the left, each value now its gradient; a layer adds to that of its parameters."


class Box(NamedTuple):
    """A layer: where its middle is, how wide, which derivation it has, and whether it has parameters."""

    x: float
    y: float
    width: float
    number: int
    name: str
    weight: str = ""


class Edge(NamedTuple):
    """A value on its way along corners; what it is called, and its shape. `at` is where the name stands, `back` what
    comes back there, if that is not the gradient of the value but a part of it."""

    corners: list
    name: str
    shape: str = ""
    at: tuple | None = None
    back: str = ""


MODEL = [
    Box(2.3, 7.75, 1.75, 2, "embedding", "E"),
    Box(5.1, 7.75, 1.3, 9, "block 1"),
    Box(7.6, 7.75, 1.3, 9, "block L"),
    Box(9.9, 7.75, 1.65, 3, "RMSNorm", "w"),
    Box(12.0, 7.75, 1.2, 1, "head", "W"),
    Box(14.35, 7.75, 1.5, 5, "log π, Σ w"),
]
BLOCK = [
    Box(2.4, 5.1, 1.65, 3, "RMSNorm", "w"),
    Box(4.3, 6.2, 1.1, 1, "$W_q$", "W_q"),
    Box(4.3, 5.1, 1.1, 1, "$W_k$", "W_k"),
    Box(4.3, 4.0, 1.1, 1, "$W_v$", "W_v"),
    Box(6.75, 6.2, 1.25, 7, "rotary"),
    Box(6.75, 5.1, 1.25, 7, "rotary"),
    Box(9.0, 5.1, 1.25, 8, "repeat"),
    Box(9.0, 4.0, 1.25, 8, "repeat"),
    Box(11.5, 5.1, 1.75, 6, "attention"),
    Box(13.75, 5.1, 1.1, 1, "$W_o$", "W_o"),
    Box(2.4, 1.7, 1.65, 3, "RMSNorm", "w"),
    Box(4.7, 2.3, 1.1, 1, "gate", "W"),
    Box(4.7, 1.1, 1.1, 1, "up", "W"),
    Box(8.3, 1.7, 2.2, 4, "SiLU(a) ⊙ b"),
    Box(11.6, 1.7, 1.2, 1, "down", "W"),
]
SUMS = [(15.1, 5.1), (13.6, 1.7)]
EDGES = [
    Edge([(0.35, 7.75), (1.42, 7.75)], "ids", "(N)"),
    Edge([(3.18, 7.75), (4.45, 7.75)], "x", "(N, C)"),
    Edge([(5.75, 7.75), (6.95, 7.75)], "…", ""),
    Edge([(8.25, 7.75), (9.08, 7.75)], "x", "(N, C)"),
    Edge([(10.73, 7.75), (11.4, 7.75)], "x", ""),
    Edge([(12.6, 7.75), (13.6, 7.75)], "z", "(N, V)"),
    Edge([(15.1, 7.75), (15.8, 7.75)], "J", ""),
    Edge([(0.2, 5.1), (1.57, 5.1)], "x", "(N, C)", (0.7, 5.1)),
    Edge([(3.23, 5.1), (3.4, 5.1), (3.4, 6.2), (3.75, 6.2)], "", ""),
    Edge([(3.23, 5.1), (3.75, 5.1)], "", ""),
    Edge([(3.23, 5.1), (3.4, 5.1), (3.4, 4.0), (3.75, 4.0)], "", ""),
    Edge([(4.85, 6.2), (6.12, 6.2)], "q", "(N, H D)"),
    Edge([(4.85, 5.1), (6.12, 5.1)], "k", "(N, G D)"),
    Edge([(4.85, 4.0), (8.37, 4.0)], "v", "(N, G D)", (5.5, 4.0)),
    Edge([(7.38, 6.2), (11.5, 6.2), (11.5, 5.45)], "q", "(N, H D)", (9.0, 6.2)),
    Edge([(7.38, 5.1), (8.37, 5.1)], "k", ""),
    Edge([(9.63, 5.1), (10.62, 5.1)], "k", "(N, H D)"),
    Edge([(9.63, 4.0), (11.5, 4.0), (11.5, 4.75)], "v", "(N, H D)", (10.4, 4.0)),
    Edge([(12.38, 5.1), (13.2, 5.1)], "o", ""),
    Edge([(14.3, 5.1), (14.9, 5.1)], "", ""),
    Edge([(1.3, 5.1), (1.3, 3.2), (15.1, 3.2), (15.1, 4.9)], "x", "(N, C)", (2.3, 3.2), "dh"),
    Edge([(15.3, 5.1), (15.85, 5.1)], "h", ""),
    Edge([(0.2, 1.7), (1.57, 1.7)], "h", "(N, C)", (0.7, 1.7)),
    Edge([(3.23, 1.7), (3.6, 1.7), (3.6, 2.3), (4.15, 2.3)], "", ""),
    Edge([(3.23, 1.7), (3.6, 1.7), (3.6, 1.1), (4.15, 1.1)], "", ""),
    Edge([(5.25, 2.3), (6.6, 2.3), (6.6, 1.85), (7.2, 1.85)], "a", "(N, F)", (5.95, 2.3)),
    Edge([(5.25, 1.1), (6.6, 1.1), (6.6, 1.55), (7.2, 1.55)], "b", "(N, F)", (5.95, 1.1)),
    Edge([(9.4, 1.7), (11.0, 1.7)], "u ⊙ b", "(N, F)", None, "d(u ⊙ b)"),
    Edge([(12.2, 1.7), (13.4, 1.7)], "", "(N, C)"),
    Edge([(1.3, 1.7), (1.3, 0.35), (13.6, 0.35), (13.6, 1.5)], "h", "(N, C)", (2.3, 0.35), "dy"),
    Edge([(13.8, 1.7), (15.3, 1.7)], "y", "(N, C)"),
]


def model_graph(backward: bool = False, marked: tuple = (), title: str = "") -> Picture:
    """The whole model in a row, and below it one block in two. backward: gradients, against the arrows.

    marked  the numbers of the derivations whose places are filled
    """
    figure = Picture(16, 9)
    ax = figure.subplots()
    ax.set(xlim=(0, 16), ylim=(0.2, 8.4))
    ax.axis("off")
    ax.set_title(title, fontsize=LARGE, color=INK, loc="left", pad=0)
    ax.text(0.2, 6.8, BACKWARD if backward else FORWARD, fontsize=SMALL, color=BACK if backward else INK, va="center")
    for box in (*MODEL, *BLOCK):
        draw_box(ax, box, backward, box.number in marked)
    for x, y in SUMS:
        ax.plot(x, y, "o", markersize=24, markerfacecolor=MARKED if 9 in marked else "white", markeredgecolor=INK)
        ax.text(x, y, "+", fontsize=LARGE, color=INK, ha="center", va="center")
    for edge in EDGES:
        draw_edge(ax, edge, backward)
    return figure.described(" ".join((ALT, ALT_BACK if backward else ALT_FORTH, *places(marked))))


def places(marked: tuple) -> list[str]:
    return [f"Filled are the places {', '.join(NUMBERS[number - 1] for number in marked)}."] if marked else []


def draw_box(ax: Any, box: Box, backward: bool, marked: bool) -> None:
    """A layer, its number in front of its name; backward: with the gradient that it adds to below."""
    look: dict[str, Any] = {
        "color": MARKED if marked else "#f4f4f4",
        "edgecolor": INK,
        "linewidth": 3 if marked else 1.3,
    }
    ax.barh(box.y, box.width, height=0.7, left=box.x - box.width / 2, **look)
    middle: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": SMALL}
    ax.text(box.x, box.y, f"{NUMBERS[box.number - 1]} {box.name}", color=INK, **middle)
    if backward and box.weight:
        ax.text(box.x, box.y - 0.55, f"$+\\!= d{box.weight}$", color=BACK, **middle)


def draw_edge(ax: Any, edge: Edge, backward: bool) -> None:
    """An arrow along the corners; backward: against them, the name with a d before it, the same shape."""
    if backward and edge.name == "ids":
        return  # whole numbers: no derivative
    way = edge.corners[::-1] if backward else edge.corners
    colour = BACK if backward else INK
    look = {"color": colour, "linewidth": 2.2, "linestyle": "--" if backward else "-"}
    ax.plot(*zip(*way[:-1]), **look) if len(way) > 2 else None
    arrow = {"arrowstyle": "-|>", "mutation_scale": 18, "shrinkA": 0, "shrinkB": 0, **look}
    ax.annotate("", way[-1], way[-2], arrowprops=arrow)
    (x0, y0), (x1, _) = edge.corners[0], edge.corners[1]
    x, y = edge.at or ((x0 + x1) / 2, y0)
    font: dict[str, Any] = {"ha": "center", "fontsize": SMALL, "color": colour, "zorder": 4}
    plain = not backward or edge.name in ("", "…")
    name = edge.name if plain else edge.back or f"d{edge.name}"
    ax.text(x, y + 0.1, name, va="bottom", style="italic", **font)
    ax.text(x, y - 0.1, "" if backward else edge.shape, va="top", **font)
