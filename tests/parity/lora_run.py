"""A process of its own: PEFT and TRL, in float64, do what a job file asks for. `python lora_run.py jobs.json`

    draw   a random adapter on a model, saved by PEFT; new: as PEFT begins, with B = 0
    train  TRL goes on with an adapter, as in trl_run.py
    read   log Pr of ids, by PEFT on an adapter and by transformers on a merged model

A job is {"what": …} and the arguments of the function of that name.
"""

import json
import sys
from pathlib import Path

import torch
from datasets import disable_progress_bars, load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer


def load(model):
    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)


def draw(model, output, settings, new=False):
    torch.manual_seed(0)
    adapted = get_peft_model(load(model), LoraConfig(task_type="CAUSAL_LM", **settings))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name and not new:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(output)


def train(model, adapter, data, settings, output):
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
    adapted = PeftModel.from_pretrained(load(model), adapter, is_trainable=True)
    assert all(p.dtype == torch.float64 for p in adapted.parameters())
    trainer = SFTTrainer(
        model=adapted,
        args=arguments,
        train_dataset=load_dataset("json", data_files=data, split="train", cache_dir=output),
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    trainer.train()
    names = ("loss", "grad_norm", "learning_rate")
    trace = [{name: row[name] for name in names} for row in trainer.state.log_history if "loss" in row]
    Path(output, "trace.json").write_text(json.dumps(trace))
    trainer.model.save_pretrained(Path(output, "adapter"))


def read(model, adapter, merged, ids, output):
    found = {}
    for name, judge in (("peft", PeftModel.from_pretrained(load(model), adapter)), ("transformers", load(merged))):
        with torch.no_grad():
            log_pi = torch.log_softmax(judge.eval()(input_ids=torch.tensor([ids])).logits[0, :-1], -1)
        found[name] = log_pi.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    jobs = json.loads(Path(sys.argv[1]).read_text())
    disable_progress_bars()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    for job in jobs:
        {"draw": draw, "train": train, "read": read}[job.pop("what")](**job)
