"""Take it away: the run on the page as a script of its own, with minisft or with TRL."""

import json
from dataclasses import fields
from pprint import pformat
from textwrap import indent
from typing import Any

from minisft import train
from minisft.config import TrainConfig
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.playground.choice import BEGIN, NONE, PASTED, STARTS
from minisft.playground.run import Run

PYTHON = '''\
"""The run on the page: the same θ̃, bit for bit."""

import numpy as np

from minisft import checkpoint, data, model, train
from minisft.config import TrainConfig
from minisft.formats import resources
{more}
theta_hat, config, tokenizer = checkpoint.load({model})
{start}
settings = TrainConfig(
{settings}
)
{run}
checkpoint.save("theta_tilde", state.theta, config, tokenizer)  # state.theta is θ̃
'''

RUN = """\
{examples}
context = config.max_position_embeddings
sequences, _ = data.fit([data.encode(example, tokenizer, "all", context + 1) for example in examples], context)
for state in train.finetune(theta, config, sequences, settings):
    print(state.step, state.metrics["loss"])"""

TRL = '''\
"""The run on the page by TRL: the same steps on the same batches."""

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

MODEL = {model}
ROWS = {rows}
BATCHES = {batches}  # the rows of each step, in the order of the run


class Trainer(SFTTrainer):
    def get_train_dataloader(self):
        return DataLoader(self.train_dataset, batch_sampler=BATCHES, collate_fn=self.data_collator)


arguments = SFTConfig(
    output_dir="trl_run",
{settings}
    use_cpu=True,
    bf16=False,
    gradient_checkpointing=False,
    report_to="none",
    save_strategy="no",
    logging_steps=1,
)
trainer = Trainer(
    model=AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32),
    args=arguments,
    train_dataset=Dataset.from_list(ROWS),
    processing_class=AutoTokenizer.from_pretrained(MODEL),
)
trainer.train()
trainer.save_model("theta_tilde")
'''


def python(name: str, wanted: dict[str, Any], run: Run) -> str:
    """The run as a script with `train.finetune`."""
    wanted = BEGIN | wanted
    settings = run.settings
    changed = [f.name for f in fields(TrainConfig) if getattr(settings, f.name) != f.default]
    model = f"resources.path({name!r})" if name in resources.models() else repr(name)
    examples = f'examples = data.read([resources.path("{wanted["data"]}_train.jsonl")])'
    if wanted["data"] == PASTED:
        examples = f"ROWS = {pformat(rows_of(wanted), width=110)}\n"
        examples += 'examples = [data.example(row, f"row {i}") for i, row in enumerate(ROWS, 1)]'
    start = "theta = theta_hat"
    if wanted["start"] != STARTS[0]:
        start = f"theta = model.init(config, np.random.default_rng({settings.seed}), theta_hat.flat.dtype)"
    lines = "\n".join(f"    {key}={getattr(settings, key)!r}," for key in changed)
    steps, more = RUN.format(examples=examples), ""
    if wanted["mistake"] != NONE:
        more = "from minisft.lab import mistakes\n"
        steps = f"with mistakes.by_name({wanted['mistake']!r}).on():\n{indent(steps, '    ')}"
    return PYTHON.format(model=model, start=start, settings=lines, run=steps, more=more)


def trl(name: str, wanted: dict[str, Any], run: Run) -> str:
    """The run as a script for TRL. Raises MinisftError, saying why, where TRL has no such run."""
    wanted = BEGIN | wanted
    settings = run.settings
    refuse = {
        "λ: TRL weighs x with 0 or 1": settings.prompt_loss_weight not in (0, 1),
        f"reduction: TRL has token_mean, not {settings.loss_reduction}": settings.loss_reduction != "token_mean",
        "start: TRL draws other random parameters": wanted["start"] != STARTS[0],
        "mistake: it is a switch around minisft, and TRL has none": wanted["mistake"] != NONE,
    }
    for why in [why for why, holds in refuse.items() if holds]:
        raise MinisftError(f"{why}; change it, or take the Python script")
    rows = rows_of(wanted)
    numbers = {id(sequence): number for number, sequence in enumerate(run.sequences)}
    batches = [[numbers[id(s)] for s in chosen] for chosen, _ in train.batches(run.sequences, settings)]
    conversations = all("messages" in row for row in rows)
    only = "assistant_only_loss" if conversations else "completion_only_loss"
    given = {
        only: settings.prompt_loss_weight == 0,
        "max_length": run.config.max_position_embeddings,
        "max_steps": settings.max_steps,
        "per_device_train_batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "optim": "adamw_torch" if settings.optim == "adamw" else "sgd",
        "max_grad_norm": settings.max_grad_norm,
    }
    lines = "\n".join(f"    {key}={value!r}," for key, value in given.items())
    model = str(resources.path(name)) if name in resources.models() else name
    return TRL.format(model=repr(model), rows=pformat(rows, width=110), batches=batches, settings=lines)


def rows_of(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the data as they were given."""
    if wanted["data"] != PASTED:
        text = resources.path(f"{wanted['data']}_train.jsonl").read_text(encoding="utf-8")
    else:
        text = wanted["rows"].strip()
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.split("\n") if line.strip()]
