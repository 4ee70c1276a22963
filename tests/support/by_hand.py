"""The model once more, from its formulas alone, as loops over heads and positions: a second opinion for the tests."""

import itertools

import numpy as np
from conftest import random_theta

from minisft import model
from minisft.config import ModelConfig
from minisft.params import Params

END = 0  # the end token of the toy


def toy(seed=0):
    """θ and config of a model with a vocabulary of 4 tokens, token 0 the end: small enough to list every answer.

    Logits are a few units apart, so that no answer is certain and none is impossible.
    """
    config = ModelConfig(
        vocab_size=4,
        hidden_size=6,
        intermediate_size=5,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=2,
        max_position_embeddings=12,
        rope_base=100.0,
        tie_word_embeddings=False,
    )
    return random_theta(config, seed), config


def log_pi(theta, config, ids):
    """log π(· | ids[:t + 1]) for every t, in nats: (n, V)."""
    W = theta.named
    H, G, D, n = config.num_attention_heads, config.num_key_value_heads, config.head_dim, len(ids)
    slower = config.rope_scaling.factor if config.rope_scaling else 1.0  # "linear" only
    turn = np.exp(1j * np.outer(np.arange(n), config.rope_base ** (-np.arange(0, D, 2) / D) / slower))  # (n, D/2)

    def norm(x, gain):
        return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + config.rms_norm_eps)

    def bias(w, name):
        return w.get(f"self_attn.{name}_proj.bias", np.zeros(H * D))

    def rotated(a):  # channels c and c + D/2 are one complex number
        z = (a[:, : D // 2] + 1j * a[:, D // 2 :]) * turn
        return np.concatenate((z.real, z.imag), -1)

    x = W["model.embed_tokens.weight"][ids]
    for layer in range(config.num_hidden_layers):
        w = {name.split(f"layers.{layer}.")[-1].removesuffix(".weight"): view for name, view in W.items()}
        a = norm(x, w["input_layernorm"])
        outputs = []
        for j in range(H):
            mine, shared = slice(j * D, (j + 1) * D), slice(j // (H // G) * D, (j // (H // G) + 1) * D)
            q = rotated(a @ w["self_attn.q_proj"][mine].T + bias(w, "q")[mine])
            k = rotated(a @ w["self_attn.k_proj"][shared].T + bias(w, "k")[shared])
            v = a @ w["self_attn.v_proj"][shared].T + bias(w, "v")[shared]
            scores = [np.exp(q[t] @ k[: t + 1].T / D**0.5) for t in range(n)]
            outputs.append([scores[t] @ v[: t + 1] / scores[t].sum() for t in range(n)])
        x = x + np.concatenate(outputs, -1) @ w["self_attn.o_proj"].T
        a = norm(x, w["post_attention_layernorm"])
        gate = a @ w["mlp.gate_proj"].T
        x = x + (gate / (1 + np.exp(-gate)) * (a @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
    head = W["model.embed_tokens.weight" if config.tie_word_embeddings else "lm_head.weight"]
    logits = norm(x, W["model.norm.weight"]) @ head.T
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def log_prob(theta, config, x, y):
    """log Pr(y | x) by the chain rule: one forward for every prefix, of which only the last row is looked at."""
    return sum(log_pi(theta, config, [*x, *y[:i]])[-1][y[i]] for i in range(len(y)))


def strings(length):
    """Every string of `length` tokens of the toy other than the end token."""
    return [list(y) for y in itertools.product((1, 2, 3), repeat=length)]


def all_answers(length):
    """Every answer of at most `length` tokens that ends with the end token, and every one that is cut off there."""
    ended = [[*y, END] for n in range(length) for y in strings(n)]
    return ended, strings(length)


def markov(transitions):
    """θ and config of a model that knows only the last token: Pr(j | …, i) = transitions[i, j], all of them > 0.

    The embedding is the identity and both branches of the only block add 0, so the last norm gives √V at the last
    token and 0 elsewhere (ε makes it a little less, which the head takes back).
    """
    V = len(transitions)
    config = ModelConfig(
        vocab_size=V,
        hidden_size=V,
        intermediate_size=1,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=2,
        max_position_embeddings=64,
        tie_word_embeddings=False,
    )
    theta = Params(model.shapes(config), np.float64)
    theta.model.embed_tokens.weight[...] = np.eye(V)
    theta.model.norm.weight[...] = 1
    theta.lm_head.weight[...] = np.log(transitions).T * np.sqrt(1 / V + config.rms_norm_eps)
    return theta, config
