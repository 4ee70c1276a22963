"""The third oracle: the same gradient by PyTorch's autograd, through the model of transformers. Only where both are.

Nothing of minisft's mathematics is used: the model is theirs, the loss is written from the definition, the sequences go
through one at a time.
"""

import contextlib
from importlib.util import find_spec

import numpy as np

from minisft.config import ModelConfig
from minisft.data import Batch
from minisft.formats.huggingface import architecture_fields
from minisft.params import Params


def at_hand() -> bool:
    return all(map(find_spec, ("torch", "transformers")))


@contextlib.contextmanager
def float64_throughout():
    """The casts to float32 in the source of transformers go to float64 instead; its algorithms stay as they are.

    transformers computes norms, rotary tables and softmax in float32 even where the model is float64, which would leave
    errors of 6e-8 in the reference. The names are read where they are used, so giving them back restores everything.
    """
    import torch

    float32 = torch.float32
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float32 = torch.float = float32
        del torch.Tensor.float  # what stood there is inherited


def gradient(theta: Params, config: ModelConfig, part: Batch) -> dict[str, np.ndarray]:
    """{name: ∂J/∂tensor} in float64, of J = Σ wᵢ log π(yᵢ)."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with float64_throughout():
        theirs = AutoConfig.for_model(**architecture_fields(config))
        other = AutoModelForCausalLM.from_config(theirs, attn_implementation="eager").double()
        named = dict(other.named_parameters())
        for name, parameter in named.items():
            parameter.data.copy_(torch.from_numpy(theta.named[name]))
        for rows in map(slice, part.starts[:-1], part.starts[1:]):
            logits = other(input_ids=torch.from_numpy(part.ids[None, rows]), use_cache=False).logits[0]
            log_pi = torch.log_softmax(logits, -1)
            chosen = log_pi[torch.arange(len(logits)), torch.from_numpy(part.targets[rows])]
            (torch.from_numpy(part.weights[rows]) * chosen).sum().backward()
    return {name: parameter.grad.numpy() for name, parameter in named.items()}


def errors(theta: Params, config: ModelConfig, part: Batch, grad: Params) -> dict[str, float]:
    """{name: largest difference of `grad` from that gradient, relative to its largest entry}."""
    result = {}
    for name, theirs in gradient(theta, config, part).items():
        off, size = np.abs(grad.named[name] - theirs).max(), np.abs(theirs).max()
        result[name] = float(off / size) if size else float(off)
    return result
