"""Loss, gradients and training once more, by PyTorch and transformers, sharing nothing of minisft's mathematics.

Sequences are (ids, mask): a list of tokens and a list that says of each whether it belongs to y. They go through the
model one at a time, without padding, so nothing can leak from one into another.
"""

import contextlib

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, get_scheduler
from transformers.utils.logging import disable_progress_bar

from minisft.verification.pytorch import float64_throughout

disable_progress_bar()
torch.set_num_threads(1)


def precisely(dtype):
    return float64_throughout() if dtype is torch.float64 else contextlib.nullcontext()


def load(directory, dtype):
    """A checkpoint as transformers reads it. Every tensor must be known, and none missing."""
    model, report = AutoModelForCausalLM.from_pretrained(
        directory, dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report.values()), report
    return model.train()


def build(config, theta):
    """A float64 model of these sizes and tensors, {name: nested list}, without a file."""
    model = LlamaForCausalLM(LlamaConfig(**config, attn_implementation="eager")).double()
    model.load_state_dict(
        {name: torch.tensor(value, dtype=torch.float64) for name, value in theta.items()}, strict=False
    )
    assert {name for name, _ in model.named_parameters()} == set(theta)
    return model.train()


def logits_of(model, ids):
    """Logits of the token after each of ids: (n, V)."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def loss_of(model, sequences, prompt_loss_weight, reduction):
    """−J(θ) of the sequences of one step, from the definition of each reduction."""
    sums, counts = [], []
    for ids, mask in sequences:
        log_probs = torch.log_softmax(logits_of(model, ids[:-1]), dim=-1)
        total, count = 0.0, 0.0
        for position in range(1, len(ids)):
            m = 1.0 if mask[position] else prompt_loss_weight
            total = total + m * log_probs[position - 1, ids[position]]
            count += m
        sums.append(total)
        counts.append(count)
    if reduction == "sum":
        return -sum(sums)
    if reduction == "token_mean":
        return -sum(sums) / sum(counts)
    means = [total / count for total, count in zip(sums, counts) if count > 0]
    return -sum(means) / len(means)


def train(model, steps, settings):
    """θ̂ → θ̃ in place, one list of sequences a step; returns loss, norm of the gradient and rate of every step.

    settings  a dict: optim, learning_rate, betas, eps, weight_decay, max_grad_norm (0: no clipping), lr_scheduler_type,
              warmup_steps, prompt_loss_weight, loss_reduction
    """
    groups = [
        {"params": [p for p in model.parameters() if p.ndim == 2], "weight_decay": settings["weight_decay"]},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    if settings["optim"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=settings["learning_rate"])
    else:
        optimizer = torch.optim.AdamW(
            groups, lr=settings["learning_rate"], betas=settings["betas"], eps=settings["eps"]
        )
    name = settings["lr_scheduler_type"]
    name = "constant_with_warmup" if name == "constant" else name
    schedule = get_scheduler(name, optimizer, settings["warmup_steps"], len(steps))
    trace = []
    for sequences in steps:
        optimizer.zero_grad()
        loss = loss_of(model, sequences, settings["prompt_loss_weight"], settings["loss_reduction"])
        loss.backward()
        max_norm = settings["max_grad_norm"] or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        trace.append({"loss": loss.item(), "grad_norm": norm.item(), "learning_rate": optimizer.param_groups[0]["lr"]})
        optimizer.step()
        schedule.step()
    return trace


def tensors_of(model):
    return {name: p.detach().numpy().copy() for name, p in model.named_parameters()}


def gradients_of(model):
    return {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
