"""A process of its own: fine-tunes by TRL, in float64, what a job file asks for. `python trl_run.py jobs.json`

The file holds a list of {"model": directory, "data": JSONL file, "settings": arguments of SFTConfig, "output":
directory}; each output directory gets trace.json (loss, grad_norm, learning_rate, num_tokens of every step) and
theta_tilde.safetensors.

transformers and TRL compute norms, rotary tables, softmax and logged losses in float32 even where the model is float64.
Here those casts go to float64, after all imports, and new tensors are float64; the algorithm stays.
"""

import json
import sys
from pathlib import Path

import torch
from datasets import disable_progress_bars, load_dataset
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer


def train(model, data, settings, output):
    arguments = SFTConfig(
        output_dir=output,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        train_sampling_strategy="sequential",
        optim="adamw_torch",
        **settings,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64),
        args=arguments,
        train_dataset=load_dataset("json", data_files=data, split="train", cache_dir=output),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    trainer.train()
    names = ("loss", "grad_norm", "learning_rate", "num_tokens")
    trace = [{name: row[name] for name in names} for row in trainer.state.log_history if "loss" in row]
    Path(output, "trace.json").write_text(json.dumps(trace))
    save_file({name: p.detach() for name, p in trainer.model.named_parameters()}, f"{output}/theta_tilde.safetensors")


if __name__ == "__main__":
    jobs = json.loads(Path(sys.argv[1]).read_text())
    disable_progress_bars()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    for job in jobs:
        train(**job)
