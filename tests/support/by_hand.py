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
    around, gemma = config.norms != "before", config.norms == "both"
    size = config.query_pre_attn_scalar or D

    def norm(x, gain):
        return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + config.rms_norm_eps)

    def bias(w, name):
        return w.get(f"self_attn.{name}_proj.bias", 0 * w[f"self_attn.{name}_proj"][:, 0])

    def normed(a, name):  # before heads are told apart, or after
        gain = w.get(f"self_attn.{name}_norm")
        if gain is None:
            return a
        return norm(a, gain) if len(gain) == a.shape[1] else norm(a.reshape(n, -1, D), gain).reshape(a.shape)

    def activation(a):
        if config.hidden_act == "silu":
            return a / (1 + np.exp(-a))
        return 0.5 * a * (1 + np.tanh((2 / np.pi) ** 0.5 * (a + 0.044715 * a**3)))

    def rotated(a):  # channels c and c + D/2 are one complex number
        z = (a[:, : D // 2] + 1j * a[:, D // 2 :]) * turn
        return np.concatenate((z.real, z.imag), -1)

    x = W["model.embed_tokens.weight"][ids] * config.embedding_scale
    for layer in range(config.num_hidden_layers):
        w = {name.split(f"layers.{layer}.")[-1].removesuffix(".weight"): view for name, view in W.items()}
        local = "sliding_attention" in config.layer_types[layer : layer + 1]
        base, pace = (config.rope_local_base, 1.0) if local else (config.rope_base, slower)
        turn = np.exp(1j * np.outer(np.arange(n), base ** (-np.arange(0, D, 2) / D) / pace))  # (n, D/2)
        first = [max(0, t + 1 - config.sliding_window) if local else 0 for t in range(n)]  # key that position t sees
        a = norm(x, w["input_layernorm"]) if gemma or not around else x
        every_q, every_k = (normed(a @ w[f"self_attn.{name}_proj"].T + bias(w, name), name) for name in "qk")
        outputs = []
        for j in range(H):
            mine, shared = slice(j * D, (j + 1) * D), slice(j // (H // G) * D, (j // (H // G) + 1) * D)
            q, k = rotated(every_q[:, mine]), rotated(every_k[:, shared])
            v = a @ w["self_attn.v_proj"][shared].T + bias(w, "v")[shared]
            scores = [np.exp(q[t] @ k[first[t] : t + 1].T / size**0.5) for t in range(n)]
            outputs.append([scores[t] @ v[first[t] : t + 1] / scores[t].sum() for t in range(n)])
        a = np.concatenate(outputs, -1) @ w["self_attn.o_proj"].T
        x = x + (norm(a, w["post_attention_layernorm"]) if around else a)
        a = x
        if gemma or not around:
            a = norm(x, w["pre_feedforward_layernorm" if gemma else "post_attention_layernorm"])
        a = (activation(a @ w["mlp.gate_proj"].T) * (a @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
        x = x + (norm(a, w["post_feedforward_layernorm"]) if around else a)
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
