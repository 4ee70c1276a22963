"""Every picture. One colour and one kind of line for each object, the same in the whole course:

    θ̂  dashed, nearly black      θ_t  dotted, amber      θ̃  solid, red      x  dash-dotted, blue      y  solid, dark green

Their lightness differs too, so a picture survives a weak projector and a grey printer. Letters are at least 15 points on a
slide 16 inches wide. Every function returns a matplotlib Figure, `save` writes it; the argument ax, where there is one,
draws into axes of yours instead. In titles and names $…$ is mathematics and θ̂, θ̃, θ_t are set as such; tokens, questions
and answers are data and shown as they are.
"""

import io
import re
import textwrap
from functools import cache

import numpy as np
from matplotlib import colormaps, font_manager
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from minisft.files import replacing

DASHED, DOTTED, DASHDOTTED = (0, (5, 2)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5))
STYLES = {  # lightness L* 15, 69, 42, 53, 28; of OTHERS 61, 35, 75
    "θ̂": ("#012359", DASHED),
    "θ_t": ("#e39919", DOTTED),
    "θ̃": ("#c31e15", "solid"),
    "x": ("#0185c7", DASHDOTTED),
    "y": ("#184c2a", "solid"),
}
OTHERS = [("#c17ac4", DASHDOTTED), ("#525252", DOTTED), ("#7ec8b9", DASHED)]
MATH = {"θ̂": r"$\hat{\theta}$", "θ̃": r"$\tilde{\theta}$", "θ_t": r"$\theta_t$"}
MONO, INK, PALE, LARGE, SMALL = "DejaVu Sans Mono", "#222222", "#dddddd", 19, 16  # sizes in points
FLOOR = -8.0  # nats, a probability of 0.0003: this and all below it have the darkest colour of a heat map


class Picture(Figure):
    """A matplotlib Figure, 1600 pixels wide, that a notebook shows by itself, without pyplot."""

    def __init__(self, width=12.0, height=6.75):
        super().__init__(figsize=(width, height), dpi=1600 / width, layout="constrained", facecolor="white")
        self.get_layout_engine().set(w_pad=0.12, h_pad=0.12)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi * 0.75)
        return buffer.getvalue()


def save(figure: Figure, path):
    """Write a PNG, whole or not at all. Raises MinisftError naming `path` if it cannot be written."""
    with replacing(path) as beside:
        figure.savefig(beside, format="png")


def typeset(text: str) -> str:
    """θ̂, θ̃ and θ_t as mathematics: fonts place a combining hat or tilde badly."""
    return re.sub("|".join(MATH), lambda found: MATH[found[0]], text)


@cache
def has_glyph(character: str) -> bool:
    return font_manager.get_font(font_manager.findfont(MONO)).get_char_index(ord(character)) != 0


def visible(text: str, length: int) -> str:
    """Data on one line, cut to `length` with …: spaces at its ends as ␣, line breaks as ↵, what the font lacks as \\u6771."""
    text = re.sub("^ +| +$", lambda found: "␣" * len(found[0]), text).replace("\n", "↵")
    text = "".join(c if has_glyph(c) else c.encode("ascii", "backslashreplace").decode() for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"


def style(name: str, number: int) -> tuple:
    """Colour and line of a name: those of the object it begins with (θ̂, θ_t, θ̃, x or y), else number `number` of OTHERS."""
    for symbol, found in STYLES.items():
        if re.match(re.escape(symbol) + r"(?!\w)", name):
            return found
    return OTHERS[number % len(OTHERS)]


def dress(ax, title, xlabel, ylabel):
    """The same frame for every picture."""
    ax.set_title(typeset(title), fontsize=LARGE, color=INK, loc="left", pad=14)
    ax.set_xlabel(typeset(xlabel), fontsize=SMALL, color=INK)
    ax.set_ylabel(typeset(ylabel), fontsize=SMALL, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def spread(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Places in [0, 1], as near as possible to the wanted ones (ascending), where labels of these heights do not overlap."""
    offsets = np.cumsum(np.r_[0, (heights[1:] + heights[:-1]) / 2])
    blocks = []  # of labels that touch: a block stands at the mean of what its labels want
    for place in wanted - offsets:
        blocks.append([place])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    places = [np.mean(block) for block in blocks for _ in block]
    return np.clip(places, 0, max(0, 1 - offsets[-1])) + offsets


def curves(series: dict[str, list[tuple]], xlabel: str, ylabel: str, title: str = "", ax=None) -> Figure:
    """Named curves over steps, the name at the end of each; xlabel and ylabel say the units.

    series  {name: [(step, value), …]}; a value may be a list, one number a seed: their mean, and a band from the lowest to
            the highest. A single point is a level, drawn flat.
    """
    ax = ax or Picture().subplots()
    dress(ax, title, xlabel, ylabel)
    last = max(points[-1][0] for points in series.values())
    ends, others = [], 0
    for name, points in series.items():
        colour, dashes = style(name, others)
        others += (colour, dashes) in OTHERS
        points = points if len(points) > 1 else [points[0], (last, points[0][1])]
        x, seeds = [step for step, _ in points], [np.atleast_1d(value) for _, value in points]
        y = [values.mean() for values in seeds]
        ax.fill_between(x, [v.min() for v in seeds], [v.max() for v in seeds], color=colour, alpha=0.2, linewidth=0)
        ax.plot(x, y, color=colour, linestyle=dashes, linewidth=3.5)
        ax.plot(x[-1], y[-1], "o", color=colour, markersize=9, clip_on=False, zorder=3)
        whole = name.replace("log Pr", "log\u00a0Pr")
        ends.append((y[-1], x[-1], colour, [whole] if "$" in name else textwrap.wrap(whole, 22)))
    ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    ax.grid(axis="y", color=PALE)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    ends.sort(key=lambda end: end[0])
    wanted = np.array([(y - low) / (high - low) for y, *_ in ends])
    places = spread(wanted, np.array([0.068 * len(lines) + 0.01 for *_, lines in ends]))
    for (y, x, colour, lines), place in zip(ends, places):
        leader = {"arrowstyle": "-", "color": colour, "linewidth": 1.5, "shrinkA": 1, "shrinkB": 5, "relpos": (0, 0.5)}
        text = typeset("\n".join(lines))
        label = ax.annotate(text, (x, y), (1.06, place), textcoords="axes fraction", va="center", arrowprops=leader)
        label.set(fontsize=SMALL, color=INK, annotation_clip=False)
    return ax.figure


def every(labels: list, most: int) -> np.ndarray:
    """Which of many labels to write: all, or `most` of them, evenly, the first and the last included."""
    return np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(int)


def heat_map(log_probs: np.ndarray, steps: list[int], token_texts: list[str], title: str = "", ax=None) -> Figure:
    """log Pr(y_i | x, y_<i) in nats, (T, n): a row for each recorded step t, a column for each token of y; bright is likely."""
    ax = ax or Picture().subplots()
    dress(ax, title, "tokens $y_i$ of the target output", "step $t$")
    mesh = ax.pcolormesh(log_probs, cmap="cividis", vmin=FLOOR, vmax=0, edgecolors="white", linewidth=0.5)
    ax.invert_yaxis()  # time runs downwards, as one reads
    shown = every(steps, 14)
    ax.set_yticks(shown + 0.5, [steps[i] for i in shown])
    shown = every(token_texts, 24)
    texts, slant = (
        [visible(token_texts[i], 10) for i in shown],
        {"rotation": 50, "rotation_mode": "anchor", "ha": "right"},
    )
    ax.set_xticks(shown + 0.5, texts, family=MONO, color=STYLES["y"][0], parse_math=False, **slant)
    bar = ax.figure.colorbar(mesh, ax=ax, extend="min", pad=0.02)
    bar.set_label(r"$\log\,\Pr(y_i \mid x, y_{<i})$  (nats)", fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
    return ax.figure


def bars(values: np.ndarray, labels: list[str] | None = None, title: str = "", ylabel: str = "") -> Figure:
    """One bar a value (n,), its label, or its index, below; ylabel says the unit."""
    labels = [str(i) for i in range(len(values))] if labels is None else labels
    ax = Picture().subplots()
    dress(ax, title, "", ylabel)
    colours = [style(label, 1)[0] if label.startswith("θ") else "#8fa3b0" for label in labels]
    ax.bar(range(len(values)), values, color=colours, edgecolor=INK)
    ax.axhline(0, color=INK, linewidth=1)
    ax.grid(axis="y", color=PALE)
    shown = every(labels, 24)
    texts = [typeset(visible(labels[i], 24).replace("$", r"\$")) for i in shown]
    narrow = max(len(labels[i]) for i in shown) * len(texts) > 70  # characters that fit side by side
    ax.set_xticks(shown, texts, **({"rotation": 35, "rotation_mode": "anchor", "ha": "right"} if narrow else {}))
    return ax.figure


def path_plane(coordinates: np.ndarray, grid: tuple, values: np.ndarray, title: str = "", unit: str = "nats") -> Figure:
    """The path θ̂ → θ_t → θ̃ in the plane of `trajectory.plane`, over contours of −J.

    coordinates  (T, 2): the path, from θ̂ to θ̃       grid  a (A,) and b (B,): where −J was computed
    values       (B, A): −J(θ̂ + a e₁ + b e₂), in `unit`; an eighth of the grid lies between two neighbouring contours
    """
    ax = Picture().subplots()
    dress(ax, title, "$a$: along θ̃ − θ̂  (distance, unit of θ)", "$b$: beside it  (unit of θ)")
    levels = np.unique(np.quantile(values, np.linspace(0, 1, 9)))
    if len(levels) > 1:
        greys = colormaps["Greys"](np.linspace(0, 0.55, len(levels) - 1))
        bands = ax.contourf(*grid, values, levels, colors=greys)
        ax.contour(*grid, values, levels, colors="#777777", linewidths=1)
        bar = ax.figure.colorbar(bands, ax=ax, pad=0.02, format="%.3g")
        bar.set_label(f"−J  ({unit})", fontsize=SMALL, color=INK)
        bar.ax.tick_params(labelsize=SMALL, colors=INK)
    ax.plot(
        *coordinates.T, "o", color=STYLES["θ_t"][0], linestyle=DOTTED, linewidth=3, markersize=8, markeredgecolor=INK
    )
    middle = coordinates[len(coordinates) // 2]
    for name, point, marker, below in (
        ("θ_t", middle, "o", 14),
        ("θ̂", coordinates[0], "s", -36),
        ("θ̃", coordinates[-1], "D", -36),
    ):
        ax.plot(*point, marker, color=STYLES[name][0], markersize=13, markeredgecolor="white")
        ax.annotate(typeset(name), point, (0, below), textcoords="offset points", ha="center", fontsize=LARGE + 4)
    ax.set_aspect("equal")
    return ax.figure


def demo_picture(
    series: dict[str, list[tuple[int, float]]],
    heat: np.ndarray,
    heat_steps: list[int],
    token_texts: list[str],
    question: str,
    answers: list[tuple[int, str]],
    title: str,
) -> Figure:
    """The whole story on one slide, 16:9: what is learned, at which tokens, and how an answer changes.

    series   {name: [(step, share of the held-out questions answered exactly), …]}, as in `curves`, shares from 0 to 1
    heat     (T, n) log Pr(y_i | x, y_<i) in nats of one held-out question at heat_steps; token_texts are its n tokens
    answers  [(t, ŷ_t), …] to that question; of more than six, the first, the last and some between are shown
    """
    figure = Picture(16, 9)
    figure.suptitle(typeset(title), fontsize=LARGE + 4, color=INK)
    above, below = figure.subfigures(2, 1, height_ratios=[5, 2])
    left, right = above.subplots(1, 2, width_ratios=[1, 1.1])
    left.set_ylim(-3, 103)
    percent = {name: [(t, 100 * np.asarray(share)) for t, share in points] for name, points in series.items()}
    curves(percent, "step $t$", "exact match (%)", "Held-out questions answered", left)
    heat_map(heat, heat_steps, token_texts, "One of them, token by token", right)
    ax = below.add_axes((0.02, 0.02, 0.96, 0.96), xlim=(0, 1), ylim=(7, 0))
    ax.axis("off")
    rows = [(f"ŷ  t={answers[i][0]}", answers[i][1], INK, "normal") for i in every(answers, 6)]
    for line, (what, text, colour, weight) in enumerate([("x", question, STYLES["x"][0], "bold"), *rows]):
        font = {
            "color": colour,
            "weight": weight,
            "family": MONO,
            "fontsize": SMALL,
            "va": "center",
            "parse_math": False,
        }
        ax.text(0, line + 0.5, what, **font)
        ax.text(0.1, line + 0.5, visible(text, 98), **font)
    return figure
