"""The command line: one function a command, and `main`, which turns every mistake into one line and an exit status.

The flags are in flags.py. People read tables on standard output and progress on standard error; with --json there is
one JSON object on standard output and nothing else.
"""

import json
import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from minisft import checkpoint, data, flags, parallel, screen
from minisft.chat import Conversation, lines
from minisft.course import copies
from minisft.errors import MinisftError
from minisft.evaluate import PROMPTS, evaluate, token_report
from minisft.formats.files import replacing
from minisft.formats.gguf import write as gguf_export
from minisft.generate import generate
from minisft.inputs import model_directory, sequences_of, settings_of, warn_of
from minisft.jobs import pretrain, sft
from minisft.runs import allocator
from minisft.verification import whole_model

# --- main -------------------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None):
    """Run one command. Raises SystemExit if its status is not 0.

    2: the user's mistake, one line on standard error; 3: a check that failed; 130: Ctrl-C; 141: nobody reads it.
    Of several ranks each that fails ends all.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without λ is no reason to stop
    allocator.keep_freed_arrays()
    ranks = parallel.ALONE
    try:
        ranks = parallel.join()
        with ranks.with_one_voice():
            arguments = flags.parser().parse_args(argv)
            with np.errstate(all="ignore"):  # what is not finite is refused where it matters, in words
                status = run(arguments, ranks)
            print(end="", flush=True)
    except MinisftError as error:
        status = complain(error, 2)
    except BrokenPipeError:  # the reader of our output has left: so do we, quietly
        status = 141
    except OSError as error:
        status = complain(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    except MemoryError as error:
        status = complain(f"not enough memory ({error}); try smaller sizes or a smaller --batch-size", 2)
    except KeyboardInterrupt as interrupt:
        screen.say(f"minisft: interrupted{f': {interrupt}' if interrupt.args else ''}")
        status = 130
    except BaseException as error:  # a mistake of ours, which Python reports; and the end of --help
        if ranks.size == 1 or (isinstance(error, SystemExit) and not error.code):
            raise
        screen.say(traceback.format_exc().rstrip())
        status = 1
    finally:
        drop_unwritten()
    if status:
        ranks.abort(status)  # or the others would wait for this one
        raise SystemExit(status)


def run(arguments, ranks):
    if ranks.size == 1:
        return COMMANDS[arguments.command](arguments)
    if arguments.command not in SHARED:
        raise MinisftError(
            f"{arguments.command}: is for one process, only {' and '.join(SHARED)} share work; leave out mpiexec"
        )
    return COMMANDS[arguments.command](arguments, ranks)


def drop_unwritten():
    """Throw away what standard output or error could not take, or Python would try again, and complain, at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(error, status):
    screen.say("minisft: error: " + " ".join(str(error).splitlines()))
    return status


# --- the commands that do not train -----------------------------------------------------------------------------------


def run_demo(arguments):
    from minisft import demo  # its pictures need matplotlib, which takes a second to import

    console = screen.Page(stderr=arguments.json)  # with --json the story is progress
    result = demo.run(Path(arguments.output_dir), arguments.seed, console)
    if arguments.json:
        screen.print_json(result)


@contextmanager
def row_file(path: str | None, flag: str, sources: list[str]):
    """Yields a function that writes rows as JSON lines to `path`, atomically; nothing happens if path is None.

    Refuses a path that could not be written before anything is computed, and one that is among the sources.
    """
    if path is None:
        yield lambda rows: None
        return
    if Path(path).is_dir() or any(Path(path).resolve() == Path(source).resolve() for source in sources):
        raise MinisftError(f"{flag}: {path} is {'a directory' if Path(path).is_dir() else 'read'}; name another file")
    with replacing(path) as beside:
        yield lambda rows: beside.write_text(
            "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows), "utf-8"
        )


def load_with_data(arguments, dtype):
    """Model, examples and sequences of the commands that look at both, everything checked."""
    examples = data.read(arguments.data)
    theta, config, tokenizer = checkpoint.load(model_directory(arguments.model), dtype)
    sequences, counts = sequences_of(arguments, examples, tokenizer, config)
    return theta, config, tokenizer, examples, sequences, counts


def run_evaluate(arguments):
    settings = settings_of(arguments)
    *loaded, counts = load_with_data(arguments, arguments.dtype)

    def track(batches):
        return screen.track(batches, "answers: batch")

    with row_file(arguments.per_example, "--per-example", arguments.data) as write:
        summary, rows = evaluate(*loaded, settings, arguments.max_new_tokens, track)
        write(rows)
    warn_of(counts)
    if arguments.json:
        screen.print_json(summary)
        return
    screen.print_table(arguments.model, ["", ""], screen.with_reduction(summary, settings.loss_reduction).items())


def run_inspect(arguments):
    settings = settings_of(arguments)
    theta, config, tokenizer, examples, sequences, counts = load_with_data(arguments, arguments.dtype)
    if arguments.example is not None:
        if arguments.example >= len(examples):
            raise MinisftError(
                f"--example: {arguments.example} is not there, the last of the data is {len(examples) - 1}"
            )
        wanted = examples[arguments.example].where
        sequences = [sequence for sequence in sequences if sequence.where == wanted][:1]
        if not sequences:
            raise MinisftError(f"--example: {wanted} was dropped as longer than --max-length; use --on-too-long cut")
    result = token_report(theta, config, tokenizer, sequences, settings)
    warn_of(counts)
    if arguments.json:
        screen.print_json(result)
    else:
        screen.print_receipt(result, [sequence.where for sequence in sequences], settings.loss_reduction)


def sampling_of(arguments) -> dict:
    rng = np.random.default_rng(arguments.seed)
    return {"temperature": arguments.temperature, "top_k": arguments.top_k, "top_p": arguments.top_p, "rng": rng}


def prompt_of(example):
    """What was asked, in the form of the data: a text, or messages without the answer expected."""
    if isinstance(example.completion, str):
        return example.prompt
    messages = example.prompt + example.completion
    return messages[:-1] if messages[-1]["role"] == "assistant" else messages


def run_generate(arguments):
    if arguments.data and not arguments.output:
        raise MinisftError("--output: is missing; name the file for the answers to --data")
    if arguments.output and not arguments.data:
        raise MinisftError("--output: is for the answers to --data; one answer goes to standard output")
    if arguments.raw and arguments.data:
        raise MinisftError('--raw: is for --prompt; in a file, {"prompt": …} is plain text and {"messages": …} is not')
    if arguments.data:
        examples = data.read(arguments.data, answered=False)
    else:
        turns = [{"role": "user", "content": arguments.prompt}]
        examples = [
            data.Example(arguments.prompt, "", "--prompt") if arguments.raw else data.Example([], turns, "--prompt")
        ]
    theta, config, tokenizer = checkpoint.load(model_directory(arguments.model), arguments.dtype)
    asked = [data.question(example, tokenizer)[0] for example in examples]
    for example, ids in zip(examples, asked):
        if not 0 < len(ids) < config.max_position_embeddings:
            raise MinisftError(
                f"{example.where}: the prompt has {len(ids)} tokens; at least 1 is needed, and the context of "
                f"{config.max_position_embeddings} must leave room for an answer"
            )
    sampling, stop_ids = sampling_of(arguments), {tokenizer.eos_id, tokenizer.end_of_turn_id}
    batches = [slice(first, first + PROMPTS) for first in range(0, len(asked), PROMPTS)]
    with row_file(arguments.output, "--output", arguments.data or []) as write:
        rows = [
            {"prompt": prompt_of(example), "predicted": tokenizer.decode(answer.ids), "stopped": answer.stopped}
            for part in (screen.track(batches, "answers: batch") if arguments.data else batches)
            for example, answer in zip(
                examples[part], generate(theta, config, asked[part], arguments.max_new_tokens, stop_ids, **sampling)
            )
        ]
        write([{"index": index} | row for index, row in enumerate(rows)])
    stopped = sum(row["stopped"] for row in rows)
    if arguments.prompt is not None:
        screen.print_json(rows[0]) if arguments.json else print(rows[0]["predicted"])
    elif arguments.json:
        screen.print_json({"num_examples": len(rows), "stop_rate": stopped / len(rows), "output": arguments.output})
    else:
        print(f"{arguments.output}: {len(rows)} answers, {stopped} of them ended by themselves")


def run_chat(arguments):
    theta, config, tokenizer = checkpoint.load(model_directory(arguments.model), arguments.dtype)
    talk = Conversation(
        theta, config, tokenizer, arguments.system, arguments.max_new_tokens, sampling_of(arguments), screen.say
    )
    for question in lines("> " if sys.stdin and sys.stdin.isatty() else ""):
        for piece in talk.answer(question):
            if not arguments.json:
                print(piece, end="", flush=True)
        if not arguments.json:
            print(flush=True)
    if arguments.json:
        screen.print_json({"messages": talk.messages})


def finite(value):
    """JSON knows neither NaN nor infinity."""
    return value if value is not None and np.isfinite(value) else None


def run_gradcheck(arguments):
    """Every layer by its example and a tiny model; or every tensor of a model, on the first examples of a file."""
    rng = np.random.default_rng(arguments.seed)
    if bool(arguments.model) != bool(arguments.data):
        raise MinisftError("--model: goes with --data; give both or neither")
    if arguments.model:
        theta, config, _, _, sequences, _ = load_with_data(arguments, np.float64)
        settings = settings_of(arguments)
        part = data.collate(sequences[:4], settings.prompt_loss_weight, settings.loss_reduction, np.float64)
        errors = whole_model.model_errors(theta, config, part, rng)
    else:
        errors = whole_model.layer_errors(rng) | whole_model.tiny_errors(rng)
    asked = (
        "difference",
        "complex_step",
        *(["pytorch"] if any(off.pytorch is not None for off in errors.values()) else []),
    )
    checks = [
        {"tensor": name} | {oracle: finite(getattr(off, oracle)) for oracle in asked} | {"passed": off.passed}
        for name, off in errors.items()
    ]
    wrong = [check["tensor"] for check in checks if not check["passed"]]
    if arguments.json:
        screen.print_json({"passed": not wrong, "tolerance": whole_model.TOLERANCE, "checks": checks})
    else:
        columns = ["tensor", *(oracle.replace("_", " ") for oracle in asked), ""]
        rows = [[*list(check.values())[:-1], "ok" if check["passed"] else "WRONG"] for check in checks]
        judges = " and ".join(columns[2:-1])
        title = f"relative error of backward; ok: at most {whole_model.TOLERANCE:g} by {judges}"
        screen.print_table(title, columns, rows)
    if wrong:
        return complain(f"gradcheck: the gradient is wrong for {', '.join(wrong)}", 3)


def run_export(arguments):
    source, target = model_directory(arguments.model), Path(arguments.gguf)
    if target.suffix.lower() != ".gguf" or target.is_dir():
        why = "is a directory" if target.is_dir() else "has another ending"
        raise MinisftError(f"--gguf: {target} {why}; name a file that ends in .gguf")
    if target.resolve() == source.resolve():
        raise MinisftError(f"--gguf: {target} is the model that is read; name another file")
    if target.exists() and not arguments.overwrite:
        raise MinisftError(f"--gguf: {target} is there already; give another or --overwrite")
    theta, config, tokenizer = checkpoint.load(source)
    gguf_export.write(target, theta, config, tokenizer)
    size = target.stat().st_size
    if arguments.json:
        screen.print_json({"gguf": str(target), "num_parameters": theta.flat.size, "bytes": size})
    else:
        print(f"{target}: {theta.flat.size:,} parameters in {size / 1e6:,.1f} MB")


def run_course(arguments):
    written = [str(path) for path in copies.write(Path(arguments.directory), arguments.overwrite)]
    if arguments.json:
        screen.print_json({"notebooks": written})
    else:
        print("\n".join(written))


COMMANDS = {
    "demo": run_demo,
    "pretrain": pretrain,
    "sft": sft,
    "evaluate": run_evaluate,
    "generate": run_generate,
    "chat": run_chat,
    "inspect": run_inspect,
    "gradcheck": run_gradcheck,
    "export": run_export,
    "course": run_course,
}
SHARED = ("pretrain", "sft")  # by the ranks that mpiexec starts
