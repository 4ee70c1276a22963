"""PyTorch's side, as an expert would write it for the CPU, in three forms.

eager     nn.Module code on padded batches: scaled_dot_product_attention, rms_norm, rotation as complex numbers
compiled  the same through torch.compile
matched   with minisft's own savings by hand: tokens laid end to end, attention for each sequence, the last block and
          the head for the targets alone
"""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from benchmarks.sizes import Size


def interleaved(weight, head):
    """Rows of a q or k map from halves (the file's order) to adjacent pairs, which complex numbers need."""
    return weight.view(-1, 2, head // 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def halves(weight, head):
    """The way back."""
    return weight.view(-1, head // 2, 2, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def rotated(x, turns):
    """Adjacent pairs turned: as complex numbers, or (cos, sin) on a last axis, which torch.compile can fuse."""
    pairs = x.view(*x.shape[:-1], -1, 2)
    if turns.is_complex():
        return torch.view_as_real(torch.view_as_complex(pairs) * turns).flatten(-2)
    (a, b), (cos, sin) = pairs.unbind(-1), turns.unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.empty(config.hidden_size)), config.rms_norm_eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, self.head = config.hidden_size, config.head_dim
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (linear(C, C) for _ in range(4))

    def split(self, x):
        return x.view(*x.shape[:-1], -1, self.head)

    def forward(self, x, turns):
        """Padded: x (S, T, C), turns (T, 1, D / 2)."""
        q = rotated(self.split(self.q_proj(x)), turns).transpose(1, 2)
        k = rotated(self.split(self.k_proj(x)), turns).transpose(1, 2)
        v = self.split(self.v_proj(x)).transpose(1, 2)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(o.transpose(1, 2).reshape(x.shape))

    def ragged(self, x, turns, spans, rows, queries):
        """End to end: x (N, C); rows that ask, or None for all; queries: for each sequence its rows among them."""
        asked = x if rows is None else x[rows]
        q = rotated(self.split(self.q_proj(asked)), turns if rows is None else turns[rows])
        k, v = rotated(self.split(self.k_proj(x)), turns), self.split(self.v_proj(x))
        parts = []
        for span, (asking, mask) in zip(spans, queries):
            q_s, k_s, v_s = q[asking].transpose(0, 1), k[span].transpose(0, 1), v[span].transpose(0, 1)
            o = F.scaled_dot_product_attention(q_s, k_s, v_s, attn_mask=mask, is_causal=mask is None)
            parts.append(o.transpose(0, 1).flatten(1))
        return self.o_proj(torch.cat(parts))

    def cached(self, x, turns, keys, values, past):
        """Some more tokens, (B, t, C); keys and values (B, H, room, D) hold `past` of each before."""
        q = rotated(self.split(self.q_proj(x)), turns).transpose(1, 2)
        now = past + x.shape[1]
        keys[:, :, past:now] = rotated(self.split(self.k_proj(x)), turns).transpose(1, 2)
        values[:, :, past:now] = self.split(self.v_proj(x)).transpose(1, 2)
        o = F.scaled_dot_product_attention(q, keys[:, :, :now], values[:, :, :now], is_causal=x.shape[1] > 1)
        return self.o_proj(o.transpose(1, 2).reshape(x.shape))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, inner = config.hidden_size, config.intermediate_size
        self.gate_proj, self.up_proj, self.down_proj = linear(C, inner), linear(C, inner), linear(inner, C)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(config), Norm(config)
        self.self_attn, self.mlp = Attention(config), MLP(config)

    def forward(self, x, turns):
        return self.rest(x + self.self_attn(self.input_layernorm(x), turns))

    def rest(self, h):
        return h + self.mlp(self.post_attention_layernorm(h))


class Model(nn.Module):
    def __init__(self, config, compiled):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = Norm(config)
        D = config.head_dim
        frequency = config.rope_base ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
        angle = torch.outer(torch.arange(config.max_position_embeddings, dtype=torch.float64), frequency)
        turns = torch.polar(torch.ones_like(angle), angle)[:, None].to(torch.complex64)
        self.register_buffer("turns", torch.view_as_real(turns) if compiled else turns, False)

    def head(self, x):
        return F.linear(self.norm(x), self.embed_tokens.weight)

    def forward(self, ids):
        """Padded ids (S, T) -> logits (S, T, V)."""
        x, turns = self.embed_tokens(ids), self.turns[: ids.shape[1]]
        for block in self.layers:
            x = block(x, turns)
        return self.head(x)

    def ragged(self, ids, positions, spans, rows, queries):
        """Tokens end to end (N,) -> logits (M, V) of the rows that are targets."""
        x, turns = self.embed_tokens(ids), self.turns[positions]
        everything = [(span, None) for span in spans]
        for block in self.layers[:-1]:
            x = block.rest(x + block.self_attn.ragged(block.input_layernorm(x), turns, spans, None, everything))
        last = self.layers[-1]
        return self.head(
            last.rest(x[rows] + last.self_attn.ragged(last.input_layernorm(x), turns, spans, rows, queries))
        )

    def cached(self, ids, memory, past):
        """The next token after some more, (B, t) -> logits (B, V)."""
        x, turns = self.embed_tokens(ids), self.turns[past : past + ids.shape[1]]
        for block, (keys, values) in zip(self.layers, memory):
            x = block.rest(x + block.self_attn.cached(block.input_layernorm(x), turns, keys, values, past))
        return self.head(x[:, -1])


class Torch:
    def __init__(self, size: Size, checkpoint: str, threads: int, form: str):
        torch.set_num_threads(threads)
        self.config, self.form = size.config, form
        self.model = Model(self.config, form == "compiled")
        tensors = {name.removeprefix("model."): tensor for name, tensor in load_file(checkpoint).items()}
        for name in tensors:
            if "q_proj" in name or "k_proj" in name:
                tensors[name] = interleaved(tensors[name], size.head)
        self.model.load_state_dict(tensors)
        self.run = torch.compile(self.model) if form == "compiled" else self.model

    def prepare(self, sequences):
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
        if self.form == "matched":
            self.prepare_ragged(sequences)
        else:
            longest = max(len(s.ids) for s in sequences) - 1
            self.ids = torch.zeros(len(sequences), longest, dtype=torch.long)
            self.targets = torch.full((len(sequences), longest), -100)
            for i, s in enumerate(sequences):
                n = len(s.ids) - 1
                self.ids[i, :n] = torch.from_numpy(s.ids[:-1])
                self.targets[i, :n] = torch.from_numpy(np.where(s.is_y[1:], s.ids[1:], -100))

    def prepare_ragged(self, sequences):
        lengths = [len(s.ids) - 1 for s in sequences]
        starts = np.cumsum([0, *lengths])
        spans = [slice(int(a), int(b)) for a, b in pairwise(starts)]
        wanted = [np.flatnonzero(s.is_y[1:]) for s in sequences]
        ends = np.cumsum([0, *map(len, wanted)])
        queries = []
        for n, rows, a, b in zip(lengths, wanted, ends, ends[1:]):
            every = len(rows) == n
            mask = None if every else torch.from_numpy(np.arange(n) <= rows[:, None])
            queries.append((slice(int(a), int(b)), mask))
        rows = torch.from_numpy(np.concatenate([rows + a for rows, a in zip(wanted, starts)]))
        ids = torch.from_numpy(np.concatenate([s.ids[:-1] for s in sequences]))
        positions = torch.from_numpy(np.concatenate([np.arange(n) for n in lengths]))
        self.inputs = ids, positions, spans, rows, queries
        self.targets = torch.from_numpy(np.concatenate([s.ids[1:] for s in sequences]))[rows]

    def loss(self):
        logits = self.model.ragged(*self.inputs) if self.form == "matched" else self.run(self.ids)
        return F.cross_entropy(logits.flatten(0, -2), self.targets.flatten())

    def gradient(self):
        """The loss and {name: gradient}, in the names and the order of the checkpoint."""
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        grads = {}
        for name, parameter in self.model.named_parameters():
            rotary = "q_proj" in name or "k_proj" in name
            grad = halves(parameter.grad, self.config.head_dim) if rotary else parameter.grad
            grads[f"model.{name}"] = grad.numpy()
        return loss.item(), grads

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()  # it is logged

    @torch.inference_mode()
    def answer(self, prompts, new):
        """Greedy tokens, `new` for each prompt; prompts of one length."""
        ids, config = torch.tensor(prompts), self.config
        shape = (len(prompts), config.num_key_value_heads, ids.shape[1] + new, config.head_dim)
        memory = [(torch.empty(shape), torch.empty(shape)) for _ in range(config.num_hidden_layers)]
        result, past = [], 0
        for _ in range(new):
            token = self.model.cached(ids, memory, past).argmax(-1, keepdim=True)
            past += ids.shape[1]
            ids = token
            result.append(token)
        return torch.cat(result, 1).numpy()

    def product(self, rows, inputs, outputs):
        """A function that makes one product of these sizes."""
        x, W, out = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.empty(rows, outputs)
        return lambda: torch.mm(x, W.T, out=out)

    def kernel(self):
        return f"{'MKL' if torch.backends.mkl.is_available() else 'no MKL'}, {torch.backends.cpu.get_cpu_capability()}"
