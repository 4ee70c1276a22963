"""Let the model answer one prompt, or a file of prompts.

example:
  minisft generate --model theta_tilde --prompt "What is the capital of Peru?"
  minisft generate --model theta_tilde --data test.jsonl --output answers.jsonl
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from minisft import checkpoint, data
from minisft.cli import flags, inputs
from minisft.cli.console import print_json, row_file, say, show, show_answer, track
from minisft.cli.inputs import model_directory, sampling_of
from minisft.errors import MinisftError
from minisft.evaluate import PROMPTS
from minisft.formats.messages import require_text
from minisft.generate import before, generate
from minisft.runs.record import is_of_plain_text


def add_flags(parser: ArgumentParser) -> None:
    output = "write the answers to --data to this file, one JSON object per line"
    flags.model(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    flags.option(source, "--prompt", "one question to answer", metavar="TEXT")
    flags.option(source, "--data", "files of prompts, one JSON object per line", flags.path, nargs="+", metavar="FILE")
    flags.option(parser, "--output", output, flags.path, metavar="FILE")
    flags.switch(parser, "--raw", "continue --prompt as plain text, without the chat template")
    parsed = "read special tokens in the text of --raw as what they are, and not as their letters"
    flags.switch(parser, "--parse-special", parsed)
    flags.bad_rows(parser)
    flags.sampling(parser)
    flags.machine(parser)


def run(arguments: Namespace) -> None:
    source = model_directory(arguments.model)
    examples = asked_by(arguments, is_of_plain_text(source))
    inputs.warn_of_chat(source, examples)
    theta, config, tokenizer = checkpoint.load(source, arguments.dtype)
    if arguments.parse_special:
        asked = [inputs.with_special_tokens(arguments.prompt, tokenizer)]
    else:
        pairs = inputs.good(arguments, examples, lambda example: data.question(example, tokenizer)[0])
        examples, asked = [example for example, _ in pairs], [ids for _, ids in pairs]
    for example, ids in zip(examples, asked):
        if not 0 < len(ids) < config.max_position_embeddings:
            raise MinisftError(
                f"{example.where}: the prompt has {len(ids)} tokens; at least 1 is needed, and the context of "
                f"{config.max_position_embeddings} must leave room for an answer"
            )
    more, stop_ids = sampling_of(arguments, tokenizer), tokenizer.stop_ids
    batches = [slice(first, first + PROMPTS) for first in range(0, len(asked), PROMPTS)]
    with row_file(arguments.output, "--output", [source, *map(Path, arguments.data or [])]) as write:
        rows: list[dict[str, Any]] = [
            {
                "prompt": prompt_of(example),
                "predicted": before(tokenizer.decode(answer.ids), arguments.stop),
                "stopped": answer.stopped,
            }
            for batch in (track(batches, "answers: batch") if arguments.data else batches)
            for example, answer in zip(
                examples[batch], generate(theta, config, asked[batch], arguments.max_new_tokens, stop_ids, **more)
            )
        ]
        write([{"index": index} | row for index, row in enumerate(rows)])
    stopped = sum(row["stopped"] for row in rows)
    if arguments.prompt is not None:
        print_json(rows[0]) if arguments.json else show_answer(rows[0]["predicted"])
    elif arguments.json:
        print_json({"num_examples": len(rows), "stop_rate": stopped / len(rows), "output": arguments.output})
    else:
        show(f"{arguments.output}: {len(rows)} answers, {stopped} of which ended by themselves")


def asked_by(arguments: Namespace, plain: bool) -> list[data.Example]:
    """What is asked, by --prompt or --data. Raises MinisftError if a flag is missing, or belongs to the other one.

    plain  the model has learned nothing but plain text, so --prompt is such a text
    """
    if arguments.data and not arguments.output:
        raise MinisftError("--output: is missing; name a file for the answers to --data")
    if arguments.output and not arguments.data:
        raise MinisftError("--output: is for the answers to --data; the answer to --prompt is printed")
    if arguments.raw and arguments.data:
        raise MinisftError('--raw: is for --prompt; in a file, {"prompt": …} is plain text and {"messages": …} is not')
    if arguments.parse_special and not arguments.raw:
        raise MinisftError("--parse-special: is for --raw; the chat template writes its special tokens itself")
    if arguments.data:
        return inputs.examples_of(arguments, arguments.data, answered=False)[0]
    with data.named("--prompt"):
        require_text(arguments.prompt)
    if plain and not arguments.raw:
        say("this model was trained on plain text: it continues --prompt as it is, without the chat template")
    if arguments.raw or plain:
        return [data.Example(arguments.prompt, "", "--prompt")]
    return [data.Example([], [{"role": "user", "content": arguments.prompt}], "--prompt")]


def prompt_of(example: data.Example) -> str | list[dict]:
    """What was asked, in the form of the data: a text, or messages without the expected answer."""
    if isinstance(example.completion, str):
        return example.prompt
    messages = example.prompt + example.completion
    return messages[:-1] if messages[-1]["role"] == "assistant" else messages
