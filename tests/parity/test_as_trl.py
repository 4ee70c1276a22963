"""What `inspect --as trl` shows, beside the rows that TRL's SFTTrainer itself prepares: every id, and which count."""

import random
from collections import Counter

import pytest
from datasets import Dataset, disable_progress_bars
from transformers import LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

from minisft.errors import MinisftError
from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.lab.trl import Settings, Trainer

from .test_chat_templates import TEMPLATES, backend, both

__all__ = ["backend"]
pytestmark = pytest.mark.filterwarnings("ignore")
disable_progress_bars()

PLAIN = CHAT_TEMPLATE.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
OUTSIDE = CHAT_TEMPLATE.replace("{{- message['content'] + '<|im_end|>' }}", "{{- message['content'] }}", 1)
OUTSIDE = OUTSIDE.replace("{%- endgeneration %}", "{%- endgeneration %}{{- '<|im_end|>' }}")  # the end token
BRACKETS = (  # in the manner of Mistral
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>"
    "{% endgeneration %}{% else %}[INST] {{ m.content | trim }} [/INST]{% endif %}{% endfor %}"
)
FAMILIES = {"ChatML": CHAT_TEMPLATE, "ChatML without blocks": PLAIN, "end outside": OUTSIDE, "brackets": BRACKETS}
FAMILIES |= {name: TEMPLATES[f"trl {name}"] for name in ("qwen2_5", "qwen3", "llama3", "phi3", "gemma")}
FAMILIES |= {name: TEMPLATES[f"trl {name}"] for name in ("qwen3_training", "llama3_training", "cohere_training")}
NO_SYSTEM = {"gemma", "brackets", "cohere_training"}
ONLY = {"assistant_only_loss": True}
KINDS = {  # form of the rows, settings of both
    "messages": ("messages", {}),
    "messages, answers": ("messages", ONLY),
    "messages, answers, cut": ("messages", ONLY | {"max_length": 24}),
    "messages, cut": ("messages", {"max_length": 9}),
    "pairs of messages": ("pairs", {}),
    "pairs of messages, answers, cut": ("pairs", ONLY | {"max_length": 30}),
    "pairs of messages, all": ("pairs", {"completion_only_loss": False}),
    "packed": ("messages", ONLY | {"max_length": 32, "packing": True}),
    "packed and split": ("pairs", {"max_length": 16, "packing": True, "packing_strategy": "bfd_split"}),
    "wrapped": ("messages", ONLY | {"max_length": 20, "packing": True, "packing_strategy": "wrapped"}),
    "two texts": ("texts", {}),
    "two texts, all, cut": ("texts", {"completion_only_loss": False, "max_length": 12}),
    "text": ("text", {"max_length": 12}),
}
WITHOUT_TEMPLATE = {"two texts", "two texts, all, cut", "text"}
CASES = [(f, k) for f in FAMILIES for k in KINDS if k not in WITHOUT_TEMPLATE or f in ("ChatML", "brackets")]
WORDS = [
    "the",
    "cat",
    "Ünï",
    "",
    "Hi\n",
    "what",
    "2+2",
    "東京",
    "don't",
    "<|im_end|>",
    "</s>",
    "🙂",
    ".",
    ",",
    "\t",
    "a",
]
ROWS = 9


def text(rng, least=1):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, 7)))


def rows_of(form, rng, system):
    for _ in range(ROWS):
        talk = [{"role": r, "content": text(rng)} for _ in range(rng.randint(1, 3)) for r in ("user", "assistant")]
        if system and rng.random() < 0.5:
            talk = [{"role": "system", "content": text(rng)}, *talk]
        if form == "messages":
            yield {"messages": talk}
        elif form == "pairs":
            yield {"prompt": talk[:-1], "completion": talk[-1:]}
        elif form == "texts":
            yield {"prompt": text(rng, 0) + rng.choice(["", " ", "\n"]), "completion": text(rng, 0)}
        else:
            yield {"text": text(rng) + rng.choice(["", "<|im_end|>", "</s>"])}


@pytest.fixture(scope="module")
def model():
    sizes = {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=1000, **sizes))


def by_trl(model, tokenizer, rows, settings, directory):
    """The pieces that are trained: (ids, which count), each the times it comes."""
    arguments = SFTConfig(
        output_dir=directory, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", **settings
    )
    trainer = SFTTrainer(model, arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    pieces = []
    for row in trainer.train_dataset:
        batch = trainer.data_collator([row])
        ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
        begin = 0
        for length in row.get("seq_lengths") or [len(ids)]:
            counts = [label != -100 for label in labels[begin : begin + length]]
            pieces.append((tuple(ids[begin : begin + length]), (False, *counts[1:])))
            begin += length
    return pieces


def by_us(tokenizer, rows, settings):
    trainer = Trainer(tokenizer, Settings(**settings), rows[0])
    cut = trainer.cut([trainer.row(row) for row in rows])
    pieces = [(tuple(t.ids), tuple(t.counts.tolist())) for t in cut if not t.dropped]
    strategy, size = settings.get("packing_strategy"), settings.get("max_length", 1024)
    if strategy == "wrapped":
        pieces = [(sum((p[0] for p in pieces), ()), sum((p[1] for p in pieces), ()))]
    if strategy:
        pieces = [(ids[i : i + size], counts[i : i + size]) for ids, counts in pieces for i in range(0, len(ids), size)]
    return pieces


@pytest.fixture(scope="module")
def equal():
    return Counter()


@pytest.mark.parametrize("family,kind", CASES)
def test_what_is_shown_as_trl_is_what_trl_prepares(family, kind, backend, model, equal, tmp_path):
    rng = random.Random(f"{family} {kind}")
    form, settings = KINDS[kind]
    rows = list(rows_of(form, rng, family not in NO_SYSTEM))
    ours, theirs = both(backend, FAMILIES[family], tmp_path)
    try:
        expected = by_trl(model, theirs, rows, settings, tmp_path)
    except (ValueError, RuntimeError):  # it refuses these settings, or these rows
        with pytest.raises(MinisftError, match="TRL"):
            by_us(ours, rows, settings)
        return
    found = by_us(ours, rows, settings)
    if settings.get("packing") and settings.get("packing_strategy") != "wrapped":
        assert Counter(found) == Counter(expected)  # packing changes their order
    else:
        assert found == expected
    equal[family] += len(rows)


def test_these_were_over_five_hundred_rows_of_every_family(equal):
    print(f"\n{equal}")
    assert sum(equal.values()) >= 500 and set(equal) == set(FAMILIES)
