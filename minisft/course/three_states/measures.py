"""What notebook 07 measures of θ_t, and how it keeps θ_t: copies, ranks, tensors, the path, the divergence."""

import numpy as np

from minisft import data, trajectory
from minisft.course.display import Markdown, code
from minisft.course.side_by_side import Finetuning, finetuned
from minisft.params import Params

COLUMNS = {
    "first norm": "input_layernorm",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.o_proj",
    "second norm": "post_attention_layernorm",
    "gate_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "down_proj": "mlp.down_proj",
}


def rank_correlation(a, b) -> float:
    """Spearman's: the correlation of the ranks, equal values sharing theirs; NaN if all are equal."""
    one, other = (
        np.array([(v > value).sum() + (v == value).sum() / 2 for value in v]) for v in map(np.asarray, (a, b))
    )
    return float(np.corrcoef(one, other)[0, 1]) if one.std() and other.std() else float("nan")


def by_tensor(moved: dict[str, float]) -> tuple[np.ndarray, list[str], list[str]]:
    """Distances by name as a table: (layers, kinds), with the names of its rows and columns."""
    layers = 1 + max(int(name.split(".")[2]) for name in moved if name.startswith("model.layers."))
    values = [[moved[f"model.layers.{i}.{part}.weight"] for part in COLUMNS.values()] for i in range(layers)]
    return np.array(values), [f"layer {i}" for i in range(layers)], list(COLUMNS)


def of_a_number(theta_hat: Params, moved: dict[str, float], rates: float) -> list[list]:
    """Rows [name, numbers, distance, root mean square of a number's change, the same / rates] of a few tensors, and
    the lowest and highest of all but the embedding."""
    change = {name: moved[name] / theta_hat.named[name].size ** 0.5 for name in theta_hat.named}
    last = max(name for name in change if name.endswith("mlp.up_proj.weight"))
    shown = ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", last, "model.norm.weight"]
    rows = [[name, theta_hat.named[name].size, moved[name], change[name], change[name] / rates] for name in shown]
    others = [value for name, value in change.items() if "embed" not in name]
    for words, value in (("lowest", min(others)), ("highest", max(others))):
        rows.append([f"all but the embedding, {words}", "", "", value, value / rates])
    return rows


def in_a_plane_by_chance(lengths: np.ndarray, dimensions: int = 20_000) -> float:
    """The fraction that a random walk with steps of these lengths has in its own best plane."""
    steps = np.random.default_rng(0).standard_normal((len(lengths), dimensions))
    walk = np.cumsum(lengths[:, None] * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)
    return trajectory.plane(Params({"θ": (dimensions,)}, np.float64), list(walk)).fraction


def divergences(theta: Params, theta_hat: Params, config, pairs: list, texts: list) -> tuple[float, float, float]:
    """KL(π_θ ‖ π_θ̂) in nats per token: at the tokens of y, at those of x, and in plain text."""
    of_y, of_all, of_text = (
        trajectory.kl(theta, theta_hat, config, *what) for what in ((pairs, "y"), (pairs, "all"), (texts, "all"))
    )
    n_y, n = sum(int(s.is_y[1:].sum()) for s in pairs), sum(len(s.ids) - 1 for s in pairs)
    of_x = (n * of_all - n_y * of_y) / (n - n_y)  # the rest of the sum, divided by the rest of the rows
    return of_y, of_x, of_text


def at_the_end(log_pi: np.ndarray, ends: np.ndarray) -> list[float]:
    """Means over rows (M, V) that predict the end token, whose ids are `ends` (M,): its probability, that of the
    likeliest other token, and the exponential of the entropy."""
    pi = np.exp(log_pi)
    rows = np.arange(len(pi))
    of_end, entropy = pi[rows, ends], -(pi * log_pi).sum(-1)
    pi[rows, ends] = 0
    return [float(of_end.mean()), float(pi.max(-1).mean()), float(np.exp(entropy).mean())]


def most_changed(part: data.Batch, divergence: np.ndarray, log_pi_hat, log_pi, tokenizer, count: int = 5) -> list[list]:
    """Rows [the tokens before, what θ̂ finds likeliest, what θ does, KL in nats] where x has changed most."""

    def favourite(log_pi):
        return Markdown(f"{code(tokenizer.token_text(int(log_pi.argmax())))} ({np.exp(log_pi.max()):.0%})")

    rows = []
    for row in np.argsort(-divergence * ~part.is_y)[:count]:
        before = " ".join(code(tokenizer.token_text(int(i))) for i in part.ids[max(0, row - 3) : row + 1])
        rows.append([Markdown(before), favourite(log_pi_hat[row]), favourite(log_pi[row]), float(divergence[row])])
    return rows


def record(pool, config, runs: list[tuple], times) -> list[dict[int, Params]]:
    """For each run, (start, sequences, settings): {t: θ_t}, copies, θ_0 included. pool: as of `side_by_side`."""
    many = [Finetuning(start, config, sequences, settings, tuple(times)) for start, sequences, settings in runs]
    return [{0: start} | thetas for (start, *_), thetas in zip(runs, pool.map(finetuned, many))]
