"""Makes golden.json: a tiny Llama, and what PyTorch computes from it in float64. `cd tests && python -m golden.make`

Needs PyTorch and transformers; nothing of minisft computes here, so the numbers cannot be its own.
"""

import json
from pathlib import Path

import numpy as np
import torch
from parity import reference

HERE = Path(__file__).parent
CONFIG = {  # two query heads share a key/value head, and there are two such groups, so that their order shows
    "vocab_size": 7,
    "hidden_size": 4,
    "intermediate_size": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 2,
    "max_position_embeddings": 8,
    "rms_norm_eps": 1e-5,
}
ROPE_BASE = 50.0
GAINS = [-1.7, 0.4, 1.9, -0.6]
SEQUENCES = [  # ids and mask: ragged, several turns, one without y
    [[3, 1, 4, 1, 5], [0, 0, 1, 0, 1]],
    [[2, 6], [0, 1]],
    [[5, 3, 5, 6], [0, 0, 0, 0]],
    [[0, 2, 4, 6, 1, 3], [0, 1, 1, 0, 1, 1]],
]
REDUCTIONS = ("sum", "token_mean", "sequence_mean")
STEPS = [[SEQUENCES[i % 4], SEQUENCES[(i + 1) % 4], SEQUENCES[3]] for i in range(10)]
TRAINING = {
    "optim": "adamw",
    "learning_rate": 0.01,
    "betas": [0.9, 0.98],
    "eps": 1e-8,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 3,
    "prompt_loss_weight": 0.0,
    "loss_reduction": "token_mean",
}


def random_theta(model, rng):
    """Two decimals, so that the file is short and says exactly what it means; gains far from 1, and of both signs."""
    return {
        name: np.round(rng.normal(size=p.shape) if p.ndim == 2 else rng.permutation(GAINS), 2).tolist()
        for name, p in model.named_parameters()
    }


def golden(seed, **sizes):
    """Everything about one model: what is given, and what PyTorch makes of it."""
    config = CONFIG | sizes | {"rope_parameters": {"rope_type": "default", "rope_theta": ROPE_BASE}}
    theta = random_theta(reference.LlamaForCausalLM(reference.LlamaConfig(**config)), np.random.default_rng(seed))
    with reference.float64_throughout():
        model = reference.build(config, theta)
        logits = torch.cat([reference.logits_of(model, ids[:-1]) for ids, _ in SEQUENCES])
        losses = {
            str(weight): {name: reference.loss_of(model, SEQUENCES, weight, name).item() for name in REDUCTIONS}
            for weight in (0.0, 0.25)
        }
        reference.loss_of(model, SEQUENCES, 0.25, "token_mean").backward()
        gradients = reference.gradients_of(model)
        trace = reference.train(model, STEPS, TRAINING)
        theta_tilde = reference.tensors_of(model)
    return {
        "config": CONFIG | sizes | {"rope_base": ROPE_BASE},
        "theta": theta,
        "sequences": SEQUENCES,
        "training": TRAINING,
        "steps": [[SEQUENCES.index(sequence) for sequence in step] for step in STEPS],
        "by_pytorch": {
            "logits": logits.tolist(),
            "losses": losses,  # by λ
            "gradients": {name: tensor.tolist() for name, tensor in gradients.items()},  # of token_mean, λ = 0.25
            "trace": {name: [row[name] for row in trace] for name in trace[0]},
            "theta_tilde_norm": float(sum((tensor**2).sum() for tensor in theta_tilde.values()) ** 0.5),
            "theta_tilde": {name: tensor.flat[-1] for name, tensor in theta_tilde.items()},  # its last entry
        },
    }


def make():
    return {
        "torch": torch.__version__,
        "tied": golden(1, num_hidden_layers=2, tie_word_embeddings=True),
        "untied": golden(2, num_hidden_layers=1, tie_word_embeddings=False),
    }


def rounded(value):
    """14 digits, two more than are compared."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.14g}") if isinstance(value, float) else value


def lines(value, depth=0):
    """JSON with a line for every tensor."""
    if not isinstance(value, dict):
        return json.dumps(rounded(value))
    inner = ",\n".join(f"{' ' * depth} {json.dumps(key)}: {lines(value[key], depth + 1)}" for key in value)
    return f"{{\n{inner}\n{' ' * depth}}}"


if __name__ == "__main__":
    (HERE / "golden.json").write_text(lines(make()) + "\n")
