"""The third oracle: the same gradient by PyTorch's autograd, through the model of transformers, if both are installed.

None of minisft's mathematics is used: the model is theirs, the loss is written down from its definition, and the
sequences go through one at a time.
"""

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np

from minisft.config import ModelConfig
from minisft.data import Batch
from minisft.formats.families import in_files
from minisft.formats.huggingface import architecture_fields
from minisft.params import Params


def at_hand() -> bool:
    """Whether PyTorch and transformers are installed."""
    return all(map(find_spec, ("torch", "transformers")))


@contextlib.contextmanager
def float64_throughout() -> Iterator[None]:
    """Let the casts to float32 in the source of transformers go to float64 instead; its algorithms stay as they are.

    transformers computes norms, rotary tables and softmax in float32 even if the model is float64, which would leave
    errors of 6e-8 in the reference. The names are looked up when they are used, so restoring them undoes everything.
    """
    import torch

    float32 = torch.float32
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float32 = torch.float = float32
        del torch.Tensor.float  # the original is inherited


def gradient(theta: Params, config: ModelConfig, batch: Batch) -> dict[str, np.ndarray]:
    """{name: ∂J/∂tensor} in float64, of J = Σ wᵢ log π(yᵢ)."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with float64_throughout():
        theirs = AutoConfig.for_model(**architecture_fields(config))
        other = AutoModelForCausalLM.from_config(theirs, attn_implementation="eager").double()
        named, stored = dict(other.named_parameters()), in_files(theta, config)
        for name, parameter in named.items():
            parameter.data.copy_(torch.from_numpy(stored[name]))
        for rows in map(slice, batch.starts[:-1], batch.starts[1:]):
            logits = other(input_ids=torch.from_numpy(batch.ids[None, rows]), use_cache=False).logits[0]
            log_pi = torch.log_softmax(logits, -1)
            chosen = log_pi[torch.arange(len(logits)), torch.from_numpy(batch.targets[rows])]
            (torch.from_numpy(batch.weights[rows]) * chosen).sum().backward()
    return {name: parameter.grad.numpy() for name, parameter in named.items()}


def errors(theta: Params, config: ModelConfig, batch: Batch, grad: Params) -> dict[str, float]:
    """{name: largest difference between `grad` and PyTorch's gradient, relative to the largest entry of the latter}."""
    result = {}
    for name, theirs in gradient(theta, config, batch).items():
        off, size = np.abs(grad.named[name] - theirs).max(), np.abs(theirs).max()
        result[name] = float(off / size) if size else float(off)
    return result
