"""Mistakes in the optimiser and in the schedule of its rate."""

import numpy as np

from minisft import optim, train
from minisft.config import TrainConfig
from minisft.lab.mistakes.mistake import mistake

LATE = 10**6  # updates after which β₁ᵗ and β₂ᵗ are 0
TOO_HIGH = 10


@mistake(
    "optimiser",
    (optim.AdamW, "step"),
    wrong="theta -= rate * m_hat / sqrt(v_hat + eps)",
    right="theta -= rate * m_hat / (sqrt(v_hat) + eps)",
    seen=("FluxML/Flux.jl#448", "CyberZHG/keras-radam#29"),
)
def eps_inside_root(step):
    """ε = 1e-8 inside the root is √ε = 1e-4 outside: gradients that are smaller move θ less than they should."""

    def wrong(self, theta, grad, learning_rate):
        self.updates += 1
        beta1, beta2, eps = self.settings.adam_beta1, self.settings.adam_beta2, self.settings.adam_epsilon
        correct1, correct2 = 1 - beta1**self.updates, 1 - beta2**self.updates
        moments = self.moments["m"], self.moments["v"]
        for w, d, m, v, decay in optim.pieces(theta, grad, self.settings.weight_decay, *moments):
            w *= 1 - learning_rate * decay
            m += (1 - beta1) * (d - m)
            v += (1 - beta2) * (d * d - v)
            w -= learning_rate * (m / correct1) / np.sqrt(v / correct2 + eps)

    return wrong


@mistake(
    "optimiser",
    (optim.AdamW, "step"),
    wrong="theta -= rate * m / (sqrt(v) + eps)",
    right="theta -= rate * m_hat / (sqrt(v_hat) + eps)",
    seen=("oxiglade/mlx-rs#301",),
)
def no_bias_correction(step):
    """m and v begin at 0 and are used as they are: the first steps are about √(1 − β₂ᵗ)⁻¹ (1 − β₁ᵗ) times as long."""

    def wrong(self, theta, grad, learning_rate):
        updates, self.updates = self.updates, LATE
        step(self, theta, grad, learning_rate)
        self.updates = updates + 1

    return wrong


@mistake(
    "optimiser",
    (optim, "pieces"),
    wrong="decay = weight_decay",
    right="decay = weight_decay if tensor.ndim == 2 else 0",
    seen=("huggingface/transformers#4360", "Lightning-AI/lit-llama#254", "ServiceNow/Fast-LLM#542"),
)
def decay_on_gains(pieces):
    """Weight decay pulls the gains of the norms towards 0 as well."""

    def wrong(theta, grad, weight_decay, *moments):
        for *vectors, _ in pieces(theta, grad, weight_decay, *moments):
            yield *vectors, weight_decay

    return wrong


@mistake(
    "optimiser",
    (train, "value_and_grad"),
    wrong="for part in step: backward(part); clip(grad)",
    right="for part in step: backward(part)\nclip(grad)",
    seen=("huggingface/transformers#1563", "huggingface/transformers#986", "huggingface/diffusers#721"),
)
def clipping_before_sum(value_and_grad):
    """The gradient is clipped after each micro-batch and not after the last: the first ones are clipped most often."""

    def wrong(theta, grad, config, batch, dJ):
        result = value_and_grad(theta, grad, config, batch, dJ)
        optim.clip(grad, TrainConfig.max_grad_norm)
        return result

    return wrong


@mistake(
    "optimiser",
    (train, "train"),
    wrong='theta = load("model.safetensors")',
    right='theta = load("model.safetensors"); optimizer.load("optimizer.safetensors")',
    seen=("pytorch/pytorch#5627", "huggingface/transformers#11582"),
)
def optimizer_not_restored(train_):
    """A run that goes on after a break has forgotten m, v and the number of updates."""

    def wrong(state, config, sequences, settings, *rest):
        if state.step:
            state.optimizer = optim.make(state.theta, settings)
        yield from train_(state, config, sequences, settings, *rest)

    return wrong


@mistake(
    "schedule",
    (optim, "learning_rate"),
    wrong="scheduler.step(); optimizer.step()",
    right="optimizer.step(); scheduler.step()",
    seen=("facebookresearch/ParlAI#1400", "pytorch/pytorch#22107"),
)
def schedule_off_by_one(learning_rate):
    """Each step has the rate of the step after it."""
    return lambda settings, step, total: learning_rate(settings, step + 1, total)


@mistake(
    "schedule",
    (optim, "warmup_steps"),
    wrong="warmup = fraction * micro_batches",
    right="warmup = fraction * steps",
    seen=("axolotl-ai-cloud/axolotl#977", "huggingface/transformers#18436"),
)
def warmup_in_wrong_unit(warmup_steps):
    """The warm-up is counted in micro-batches: as many times too long as a step has of them."""
    return lambda settings, total: warmup_steps(settings, total) * settings.gradient_accumulation_steps


@mistake(
    "schedule",
    (optim, "learning_rate"),
    wrong="learning_rate = 5e-3",
    right="learning_rate = 5e-4",
    seen=("zai-org/ChatGLM3#532", "deepseek-ai/DeepSeek-Coder#134", "karpathy/nanoGPT#97"),
)
def learning_rate_too_high(learning_rate):
    """Ten times the rate: what pre-training has taught is forgotten."""
    return lambda settings, step, total: TOO_HIGH * learning_rate(settings, step, total)
