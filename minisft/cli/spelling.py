"""How flags may be spelled: with underscores, and under TRL's names.

A flag of TRL's that minisft does not have is refused by its name, with what to do instead, and never guessed. The names
are those of SFTConfig, ModelConfig and ScriptArguments in TRL 1.16.
"""

from collections.abc import Container

from minisft.errors import MinisftError

OURS = {
    "--per-device-train-batch-size": "--batch-size",
    "--model-name-or-path": "--model",
    "--max-seq-length": "--max-length",
    "--torch-dtype": "--dtype",
}

ELSEWHERE = {  # what to do -> TRL's flags
    "leave it out: all arithmetic is in float32, or in float64 with --dtype float64": (
        "bf16 fp16 bf16-full-eval fp16-full-eval tf32 load-in-8bit load-in-4bit bnb-4bit-quant-type "
        "use-bnb-nested-quant bnb-4bit-quant-storage"
    ),
    "leave it out: it changes how fast or where TRL computes, not what": (
        "use-cpu gradient-checkpointing gradient-checkpointing-kwargs activation-checkpointing "
        "activation-checkpointing-kwargs activation-offloading torch-compile torch-compile-backend torch-compile-mode "
        "use-liger-kernel liger-kernel-config use-cache attn-implementation auto-find-batch-size "
        "torch-empty-cache-steps dataloader-num-workers dataloader-pin-memory dataloader-persistent-workers "
        "dataloader-prefetch-factor dataset-num-proc per-device-eval-batch-size eval-accumulation-steps"
    ),
    "leave it out: sequences always lie end to end without padding, and never see each other": (
        "packing packing-strategy padding-free pad-to-multiple-of pad-token eval-packing"
    ),
    "leave it out: y is every answer of a conversation, or the completion, or all of a text; --prompt-loss-weight 1 "
    "learns x as well": "assistant-only-loss completion-only-loss",
    "use --loss-reduction": "loss-type",
    "use --on-too-long": "truncation-mode",
    "the order is drawn from --seed for each epoch; --no-shuffle keeps that of the file": (
        "shuffle-dataset data-seed train-sampling-strategy"
    ),
    "save the rows to a file, and name it with --data": (
        "dataset-name dataset-config dataset-train-split dataset-test-split dataset-streaming dataset-kwargs"
    ),
    "rename the column to one that is read; data/README.md lists them": "dataset-text-field",
    "use --eval-steps N": "eval-strategy",
    "use --save-steps N": "save-strategy",
    "use --logging-steps N; every step is written to metrics.jsonl anyway": "logging-strategy logging-first-step",
    "use --resume": "resume-from-checkpoint",
    "use --overwrite": "overwrite-output-dir",
    "leave it out: the best model is that of the lowest eval_loss": "metric-for-best-model greater-is-better",
    "leave it out: every checkpoint is kept; delete those you do not want": "save-total-limit",
    "leave it out: metrics are written to metrics.jsonl, and progress to standard error": (
        "report-to run-name project disable-tqdm log-level"
    ),
    "leave it out: nothing is sent anywhere": (
        "push-to-hub hub-model-id hub-strategy hub-token hub-private-repo hub-always-push hub-revision"
    ),
    "leave it out: no code of a model is ever run": "trust-remote-code",
    "replace chat_template.jinja in the directory of --model": "chat-template-path",
    "change eos_token in tokenizer_config.json in the directory of --model": "eos-token",
    "leave it out: a step is one mean over all ranks": "average-tokens-across-devices",
    "leave it out: --lora-r R alone switches LoRA on": "use-peft lora-task-type",
    "leave it out: LoRA is trained without dropout": "lora-dropout",
    "minisft trains plain LoRA alone, so leave it out": (
        "use-rslora use-dora lora-modules-to-save lora-target-parameters"
    ),
    "run it with mpiexec": "fsdp fsdp-config deepspeed ddp-backend",
    "minisft cannot do this, so leave it out": (
        "lr-scheduler-kwargs optim-args optim-target-modules label-smoothing-factor neftune-noise-alpha "
        "dataloader-drop-last full-determinism eval-delay eval-on-start model-revision"
    ),
}
WITH_AS_TRL = ("--packing", "--packing-strategy", "--assistant-only-loss", "--completion-only-loss")  # inspect has them
ADVICE = {f"--{name}": advice for advice, names in ELSEWHERE.items() for name in names.split()}


def ours(line: list[str]) -> list[str]:
    """A command line with its flags in minisft's spelling. Raises MinisftError for a flag that only TRL has."""
    end = line.index("--") if "--" in line else len(line)
    known = WITH_AS_TRL if line[:1] == ["inspect"] else ()
    return [*(spelled(word, known) for word in line[:end]), *line[end:]]


def spelled(word: str, known: Container[str] = ()) -> str:
    """A word of a command line: --batch_size=2 -> --batch-size=2; what is not a flag stays as it is."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    name = name.replace("_", "-")
    if name in ADVICE and name not in known:
        raise MinisftError(f"{name}: is a flag of TRL's that minisft does not have; {ADVICE[name]}")
    return OURS.get(name, name) + equals + value
