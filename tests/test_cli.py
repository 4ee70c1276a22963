"""The command line: what each command prints for people and for programs, and what it writes."""

import io
import json
import math
import shlex
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from commandline import (
    PAIRS,
    TEXTS,
    command,
    contents,
    conversation,
    make_theta_hat,
    minisft,
    read_rows,
    subprocess_of,
    write_pairs,
    write_rows,
)

from minisft import checkpoint, data, demo, evaluate, flags, generate, modelcheck
from minisft.config import TrainConfig
from minisft.layers import rmsnorm

PER_EXAMPLE = "index num_target_tokens log_prob predicted expected exact stopped"
RECEIPT = "position id text is_target weight log_prob contribution"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Files that no test changes: theta_hat and train.jsonl."""
    directory = tmp_path_factory.mktemp("shared")
    make_theta_hat(directory)
    write_pairs(directory / "train.jsonl")
    return directory


@pytest.fixture
def model(shared):
    return ["--model", shared / "theta_hat"]


@pytest.fixture
def pairs(shared):
    return ["--data", shared / "train.jsonl"]


@pytest.fixture
def theta_hat(shared):
    """(θ̂, config, tokenizer) as a notebook loads it, in float64."""
    return checkpoint.load(shared / "theta_hat", np.float64)


@pytest.fixture
def json_of(capsys):
    """The one object that a command with --json prints; all of standard output must be that."""

    def run(*arguments, status=0):
        capsys.readouterr()
        assert minisft(*arguments, "--json") == status
        out = capsys.readouterr().out
        assert out.endswith("\n") and out.count("\n") == 1
        return json.loads(out, parse_constant=pytest.fail)  # NaN and Infinity are no JSON

    return run


# --- the way in -------------------------------------------------------------------------------------------------------


def test_python_m_minisft_is_the_command(shared):
    done = subprocess_of("--version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("minisft ")


@pytest.mark.parametrize("name", [flag.__name__ for flag in flags.COMMANDS])
def test_every_command_has_a_help_with_an_example_that_parses(name, capsys):
    assert minisft(name, "--help") == 0
    text = capsys.readouterr().out
    examples = [line for line in text.splitlines() if line.startswith(f"  minisft {name}")]
    assert examples and text.isascii()
    for example in examples:
        flags.parser().parse_args(shlex.split(example)[1:])


@pytest.mark.parametrize("name", ["sft", "pretrain"])
def test_defaults_are_those_of_the_library(name, shared):
    needed = ["--data", "x", "--output-dir", "y"] + (["--model", "z"] if name == "sft" else [])
    arguments = vars(flags.parser().parse_args([name, *needed]))
    for field, value in vars(TrainConfig()).items():
        if field in arguments and arguments[field] is not None:
            assert arguments[field] == value, field
    assert {field for field in vars(TrainConfig()) if arguments.get(field, 0) is None} == {"learning_rate", "max_steps"}


def test_a_flag_given_twice_counts_the_last_time():
    line = "sft --model z --output-dir y --data a b --seed 1 --data c --seed 2"
    arguments = flags.parser().parse_args(shlex.split(line))
    assert (arguments.data, arguments.seed) == (["c"], 2)


def test_demo_runs_the_story_with_its_flags(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(demo, "run", lambda output_dir, seed: told.append((output_dir, seed)))
    assert minisft("demo", "--output-dir", tmp_path, "--seed", 3) == 0
    assert told == [(tmp_path, 3)]


def test_ctrl_c_outside_a_run_ends_quietly_with_130(model, pairs, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "read", interrupt)
    assert minisft("evaluate", *model, *pairs) == 130
    assert capsys.readouterr().err == "minisft: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error_worth_words(shared, model, pairs):
    process = subprocess.Popen(**command("inspect", *model, *pairs), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGPIPE and err == ""


def test_a_terminal_that_cannot_show_a_character_shows_a_question_mark(model, pairs):
    more = command("inspect", *model, *pairs, "--example", 1)
    more["env"]["PYTHONIOENCODING"] = "ascii"
    done = subprocess.run(**more, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.isascii() and "?" in done.stdout


# --- sft and pretrain -------------------------------------------------------------------------------------------------


def test_sft_says_what_it_does_on_standard_error_and_what_came_out_on_standard_output(model, pairs, tmp_path, capsys):
    line = ["sft", *model, *pairs, "--output-dir", tmp_path / "out", "--logging-steps", 1, "--learning-rate", 0.02]
    assert minisft(*line, "--batch-size", 4, "--num-train-epochs", 1, "--loss-reduction", "sum") == 0
    out, err = capsys.readouterr()
    assert "9 examples, 3 steps; learning rate 0.02 (linear)" in err
    assert "step 3/3  loss (sum)" in err and "loss (sum)" in out
    logged = [text for text in err.splitlines() if "grad_norm" in text]
    assert [text.split()[1] for text in logged] == ["1", "2", "3"]


def test_a_loss_is_never_printed_without_its_reduction(model, pairs, tmp_path, capsys):
    line = ["--loss-reduction", "sequence_mean", "--prompt-loss-weight", 1, "--logging-steps", 1, "--max-steps", 2]
    assert minisft("sft", *model, *pairs, "--output-dir", tmp_path / "out", *line, "--eval-data", pairs[1]) == 0
    assert minisft("evaluate", *model, *pairs, "--max-new-tokens", 1) == 0
    assert minisft("inspect", *model, *pairs) == 0
    words = " ".join(capsys.readouterr()).replace("│", " ").split()
    for word, following in pairwise(words):
        if word in ("loss", "objective", "eval_loss"):
            assert following in ("(sequence_mean)", "(token_mean)"), (word, following)


def test_json_of_sft_sums_up_the_run(json_of, model, pairs, tmp_path):
    line = [*model, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 2, "--logging-steps", 1]
    result = json_of("sft", *line, "--eval-data", pairs[1])
    last_step, evaluation = read_rows(tmp_path / "out" / "metrics.jsonl")[-2:]
    assert result["steps"] == 2 and result["loss"] == last_step["loss"] and result["loss_reduction"] == "token_mean"
    assert result["examples"] == {"read": 9, "cut": 0, "dropped": 0} and result["steps_without_target"] == 0
    assert result["eval_log_prob"] == evaluation["eval_log_prob"]
    assert json_of("evaluate", "--model", tmp_path / "out", *pairs)["log_prob"] == evaluation["eval_log_prob"]


def test_examples_that_are_cut_or_dropped_are_counted_and_reported(json_of, model, tmp_path, capsys):
    rows = [conversation("Hi", "x " * 99), conversation("Hi", "Yes.")]
    line = [*model, "--data", write_rows(tmp_path / "long.jsonl", rows), "--max-steps", 1, "--overwrite"]
    line += ["--output-dir", tmp_path / "out"]
    assert json_of("sft", *line)["examples"] == {"read": 2, "cut": 1, "dropped": 0}
    assert json_of("sft", *line, "--on-too-long", "drop")["examples"] == {"read": 2, "cut": 0, "dropped": 1}
    assert minisft("sft", *line, "--on-too-long", "drop") == 0
    assert "1 of 2 examples were longer than --max-length and dropped" in capsys.readouterr().err


def test_steps_without_a_target_are_counted_and_warned_about(json_of, model, pairs, tmp_path, capsys, monkeypatch):
    encode = data.encode
    monkeypatch.setattr(data, "encode", lambda *a: (s := encode(*a))._replace(mask=s.mask & s.where.endswith(":1")))
    line = [*model, *pairs, "--output-dir", tmp_path / "out", "--batch-size", 3, "--num-train-epochs", 1]
    assert json_of("sft", *line)["steps_without_target"] == 2
    assert minisft("sft", *line, "--overwrite") == 0
    assert "warning: 2 steps had no target" in capsys.readouterr().err


def test_a_shipped_model_goes_by_its_name(json_of, shared, pairs, monkeypatch):
    from minisft import shipped

    monkeypatch.setattr(shipped, "path", lambda name="": shared / name)
    by_name = json_of("evaluate", "--model", "theta_hat", *pairs)
    assert by_name == json_of("evaluate", "--model", shared / "theta_hat", *pairs)


def test_pretrain_makes_a_model_of_the_sizes_asked_for(json_of, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("So we beat on, boats against the current. " * 9)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    flags = [word for name, size in sizes.items() for word in (f"--{name.replace('_', '-')}", size)]
    line = ["--data", text, "--output-dir", tmp_path / "out", *flags, "--vocab-size", 270, "--max-steps", 1]
    assert json_of("pretrain", *line, "--max-position-embeddings", 32)["steps"] == 1
    _, config, tokenizer = checkpoint.load(tmp_path / "out")
    assert {name: getattr(config, name) for name in sizes} == sizes
    assert (config.intermediate_size, config.max_position_embeddings, config.vocab_size) == (64, 32, 270)
    assert tokenizer.vocab_size == 270


def test_pretrain_learns_every_token_of_a_text_file_though_it_is_longer_than_the_context(json_of, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("So we beat on, boats against the current. " * 9)
    line = ["--data", text, "--output-dir", tmp_path / "out", "--hidden-size", 8, "--vocab-size", 270]
    json_of("pretrain", *line, "--max-length", 10, "--num-train-epochs", 1)
    _, _, tokenizer = checkpoint.load(tmp_path / "out")
    targets = sum(row["num_target_tokens"] for row in read_rows(tmp_path / "out" / "metrics.jsonl"))
    assert targets == len(tokenizer.encode(text.read_text())) + 1 - 1  # the end token more, the first token less


def test_pretrain_can_take_the_tokenizer_of_another_model(json_of, shared, tmp_path):
    line = ["--data", shared / "texts.jsonl", "--output-dir", tmp_path / "out", "--hidden-size", 8, "--max-steps", 1]
    json_of("pretrain", *line, "--tokenizer", shared / "theta_hat")
    one, other = (place / "tokenizer.json" for place in (shared / "theta_hat", tmp_path / "out"))
    assert one.read_bytes() == other.read_bytes()


def test_pretrain_evaluates_text_without_asking_it_anything(json_of, shared, tmp_path):
    line = ["--data", shared / "texts.jsonl", "--output-dir", tmp_path / "out", "--hidden-size", 8, "--max-steps", 1]
    result = json_of("pretrain", *line, "--eval-data", shared / "texts.jsonl")
    assert result["eval_num_examples"] == len(TEXTS) and result["eval_exact_match"] is None


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate_reports_the_sum_the_count_and_the_mean_together(json_of, model, pairs, theta_hat):
    result = json_of("evaluate", *model, *pairs, "--dtype", "float64")
    names = "num_examples num_target_tokens log_prob loss mean_token_accuracy exact_match stop_rate"
    assert list(result) == names.split()
    assert result["loss"] == pytest.approx(-result["log_prob"] / result["num_target_tokens"], rel=1e-12)
    theta, config, tokenizer = theta_hat
    sequences = [data.encode(example, tokenizer) for example in data.read([pairs[1]])]
    values = evaluate.log_probs(theta, config, sequences)
    assert result["num_target_tokens"] == sum(s.mask.sum() for s in sequences)
    assert result["log_prob"] == pytest.approx(sum(v[s.mask[1:]].sum() for s, (v, _) in zip(sequences, values)))


def test_evaluate_per_example_writes_one_row_an_example_that_add_up(json_of, model, pairs, tmp_path):
    result = json_of("evaluate", *model, *pairs, "--per-example", tmp_path / "rows.jsonl")
    rows = read_rows(tmp_path / "rows.jsonl")
    assert list(rows[0]) == PER_EXAMPLE.split()
    assert [row["index"] for row in rows] == list(range(9))
    assert [row["expected"] for row in rows] == [answer for _, answer in PAIRS]
    assert math.fsum(row["log_prob"] for row in rows) == pytest.approx(result["log_prob"], rel=1e-12)
    assert sum(row["num_target_tokens"] for row in rows) == result["num_target_tokens"]
    assert np.mean([row["stopped"] for row in rows]) == result["stop_rate"]


def test_text_that_asks_nothing_has_no_exact_match(json_of, model, shared, tmp_path):
    result = json_of("evaluate", *model, "--data", shared / "texts.jsonl", "--per-example", tmp_path / "rows.jsonl")
    assert result["exact_match"] is None and result["stop_rate"] is None and result["log_prob"] < 0
    assert read_rows(tmp_path / "rows.jsonl")[0]["predicted"] is None


def test_dropped_examples_are_left_out_and_the_others_keep_their_index(json_of, model, tmp_path):
    rows = [conversation("Hi", "x " * 99), conversation("Hi", "Yes.")]
    line = ["--data", write_rows(tmp_path / "long.jsonl", rows), "--per-example", tmp_path / "rows.jsonl"]
    assert json_of("evaluate", *model, *line, "--on-too-long", "drop")["num_examples"] == 1
    assert [row["index"] for row in read_rows(tmp_path / "rows.jsonl")] == [1]
    assert json_of("evaluate", *model, *line)["num_examples"] == 2


def test_the_joint_likelihood_counts_the_prompt_as_well(json_of, model, pairs):
    conditional, joint = (json_of("evaluate", *model, *pairs, "--prompt-loss-weight", w) for w in (0, 1))
    assert joint["num_target_tokens"] > conditional["num_target_tokens"]
    assert joint["log_prob"] == conditional["log_prob"]  # log Pr(y|x), whatever is trained


def test_more_than_one_file_is_one_after_the_other(json_of, model, shared):
    path = shared / "train.jsonl"
    once, twice = (json_of("evaluate", *model, "--data", *paths) for paths in ([path], [path, path]))
    assert twice["num_examples"] == 18 and twice["log_prob"] == pytest.approx(2 * once["log_prob"])


# --- inspect ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["token_mean", "sum", "sequence_mean"])
@pytest.mark.parametrize("weight", [0, 0.5])
def test_contributions_of_the_receipt_add_up_to_the_loss(json_of, model, pairs, reduction, weight):
    line = [*model, *pairs, "--loss-reduction", reduction, "--prompt-loss-weight", weight, "--dtype", "float64"]
    result = json_of("inspect", *line)
    assert set(result) == {"examples", "loss"} and len(result["examples"]) == 9
    for example in result["examples"]:
        assert set(example) == {"tokens", "objective"}
        assert sum(token["contribution"] for token in example["tokens"]) == pytest.approx(-example["objective"])
    every = [token for example in result["examples"] for token in example["tokens"]]
    assert sum(token["contribution"] for token in every) == pytest.approx(result["loss"], rel=1e-12)
    assert result["loss"] == pytest.approx(json_of("evaluate", *line, "--max-new-tokens", 1)["loss"], rel=1e-9)
    for token in every:
        if token["log_prob"] is not None:
            assert token["contribution"] == pytest.approx(-token["weight"] * token["log_prob"])


def test_the_receipt_lists_every_token_and_says_which_are_targets(json_of, model, pairs, theta_hat):
    _, _, tokenizer = theta_hat
    [example] = json_of("inspect", *model, *pairs, "--example", 1)["examples"]
    tokens = example["tokens"]
    assert set(tokens[0]) == set(RECEIPT.split())
    assert [token["position"] for token in tokens] == list(range(len(tokens)))
    target = [token["id"] for token in tokens if token["is_target"]]
    assert target == [*tokenizer.encode(PAIRS[1][1]), tokenizer.end_of_turn_id]
    assert tokenizer.decode(target) == PAIRS[1][1]
    first = tokens[0]
    assert (first["log_prob"], first["weight"], first["contribution"], first["is_target"]) == (None, 0, 0, False)
    assert all(token["log_prob"] < 0 for token in tokens[1:])


def test_the_first_token_of_a_text_is_given_and_so_no_target(json_of, model, shared):
    [example] = json_of("inspect", *model, "--data", shared / "texts.jsonl", "--example", 0)["examples"]
    assert [token["is_target"] for token in example["tokens"][:2]] == [False, True]


def test_weights_are_those_of_a_step_made_of_the_examples_shown(json_of, model, pairs):
    for line, count in ((["--example", 2], 1), ([], 9)):
        examples = json_of("inspect", *model, *pairs, *line)["examples"]
        assert len(examples) == count
        assert sum(token["weight"] for example in examples for token in example["tokens"]) == pytest.approx(1)


def test_the_table_of_the_receipt_makes_control_characters_visible(model, tmp_path, capsys):
    rows = write_rows(tmp_path / "odd.jsonl", [{"prompt": "[red] :smile:", "completion": "a\n\tb\x1b[0m"}])
    assert minisft("inspect", *model, "--data", rows) == 0
    out = capsys.readouterr().out
    assert "↵" in out and "\\t" in out and "\\x1b" in out and "\x1b" not in out and "\t" not in out
    cells = [line.split("│")[3].strip() for line in out.splitlines() if line.startswith("│")]
    assert "".join(cells).startswith("[red]:smile:")  # texts of tokens are shown, not read as markup


# --- generate ---------------------------------------------------------------------------------------------------------


def test_generate_prints_the_answer_the_library_gives(json_of, model, theta_hat, capsys):
    theta, config, tokenizer = theta_hat
    asked, _ = data.question(data.example(conversation("Who?", ""), ""), tokenizer)
    [answer] = generate.generate(theta, config, [asked], 5, {tokenizer.end_of_turn_id, tokenizer.eos_id})
    line = [*model, "--prompt", "Who?", "--max-new-tokens", 5, "--dtype", "float64"]
    expected = {"prompt": [{"role": "user", "content": "Who?"}], "predicted": tokenizer.decode(answer.ids)}
    assert json_of("generate", *line) == expected | {"stopped": answer.stopped}
    assert minisft("generate", *line) == 0
    assert capsys.readouterr() == (expected["predicted"] + "\n", "")


def test_raw_continues_the_prompt_without_the_template(json_of, model, theta_hat):
    theta, config, tokenizer = theta_hat
    [answer] = generate.generate(theta, config, [tokenizer.encode("The cap")], 5, {tokenizer.eos_id})
    line = ["--prompt", "The cap", "--raw", "--max-new-tokens", 5, "--dtype", "float64"]
    assert json_of("generate", *model, *line)["predicted"] == tokenizer.decode(answer.ids)


def test_answers_to_a_file_are_written_in_its_order_in_every_form_of_prompt(json_of, model, tmp_path):
    turn = {"role": "user", "content": "Who?"}
    rows = [
        {"messages": [turn]},
        conversation("Who?", "This answer is not shown to the model."),
        {"prompt": "The cap"},
        {"prompt": [turn]},
        {"instruction": "Who?"},
    ]
    line = [
        "--data",
        write_rows(tmp_path / "in.jsonl", rows),
        "--output",
        tmp_path / "out.jsonl",
        "--max-new-tokens",
        3,
    ]
    result = json_of("generate", *model, *line)
    answers = read_rows(tmp_path / "out.jsonl")
    assert result["num_examples"] == 5 and result["stop_rate"] == np.mean([row["stopped"] for row in answers])
    assert [row["index"] for row in answers] == [0, 1, 2, 3, 4]
    assert [row["prompt"] for row in answers] == [[turn], [turn], "The cap", [turn], [turn]]
    assert len({row["predicted"] for row in answers if row["prompt"] == [turn]}) == 1
    assert (
        answers[2]["predicted"] == json_of("generate", *model, "--prompt", "The cap", "--raw", *line[-2:])["predicted"]
    )


def test_draws_repeat_with_the_seed_and_differ_with_another(json_of, model):
    def draw(*flags):
        return json_of("generate", *model, "--prompt", "Who?", "--temperature", 1, "--max-new-tokens", 20, *flags)[
            "predicted"
        ]

    greedy = json_of("generate", *model, "--prompt", "Who?", "--max-new-tokens", 20)["predicted"]
    assert draw("--seed", 1) == draw("--seed", 1) != draw("--seed", 2)
    assert draw("--top-k", 1) == draw("--top-p", 1e-9) == draw("--temperature", 1e-300) == greedy


def test_files_of_answers_are_whole_or_as_they_were(model, pairs, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    out.write_text("before")

    def fail(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("minisft.cli.generate", fail)
    monkeypatch.setattr("minisft.cli.evaluate", fail)
    assert minisft("generate", *model, *pairs, "--output", out) == 130
    assert minisft("evaluate", *model, *pairs, "--per-example", out) == 130
    assert contents(tmp_path) == {out.relative_to(tmp_path): b"before"}


# --- chat -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def talk(monkeypatch, model, capsys):
    """(status, standard output, standard error) of a chat in which these lines are typed; every answer is given."""

    def run(typed, answers, *flags):
        scripts, prompts = iter(answers), []

        def decode(theta, config, prompt, max_new_tokens, stop_ids, **sampling):
            prompts.append(prompt[0])
            _, _, tokenizer = checkpoint.load(model[1])
            for token in [*tokenizer.encode(next(scripts)), tokenizer.end_of_turn_id]:
                yield [(0, token)]

        monkeypatch.setattr("minisft.chat.decode", decode)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        status = minisft("chat", *model, *flags)
        return status, *capsys.readouterr(), prompts

    return run


def test_chat_answers_line_by_line_until_the_input_ends_or_exit(talk):
    assert talk("Hi\n\nWho?\n", ["Hello.", "Me."])[:3] == (0, "Hello.\nMe.\n", "")
    assert talk("Hi\n/exit\nWho?\n", ["Hello."])[:3] == (0, "Hello.\n", "")


def test_chat_remembers_what_was_said(talk, theta_hat):
    _, _, tokenizer = theta_hat
    *_, prompts = talk("Hi\nWho?\n", ["Hello.", "Me."], "--system", "Be brief.")
    turns = [{"role": "system", "content": "Be brief."}]
    for question, answer, prompt in (("Hi", "Hello.", prompts[0]), ("Who?", "Me.", prompts[1])):
        turns.append({"role": "user", "content": question})
        assert prompt == [i for ids, _ in tokenizer.render(turns, add_generation_prompt=True) for i in ids]
        turns.append({"role": "assistant", "content": answer})


def test_chat_forgets_the_oldest_turns_when_the_context_is_full_and_says_so(talk, theta_hat):
    _, config, tokenizer = theta_hat
    status, out, err, prompts = talk("One\nTwo\nThree\nFour\n", ["1", "2", "3", "4"], "--system", "S")
    assert (status, out) == (0, "1\n2\n3\n4\n") and "turns are forgotten" in err
    assert all(len(prompt) < config.max_position_embeddings for prompt in prompts)
    system = [i for ids, _ in tokenizer.render([{"role": "system", "content": "S"}]) for i in ids]
    assert all(prompt[: len(system)] == system for prompt in prompts)
    assert "One" not in tokenizer.decode(prompts[-1]) and "Four" in tokenizer.decode(prompts[-1])


def test_chat_refuses_a_line_that_never_fits_and_goes_on(talk):
    status, out, err, _ = talk("x" * 200 + "\nHi\n", ["Hello."])
    assert (status, out.split()) == (0, ["Hello."]) and "do not fit the context of 128" in err


def test_chat_streams_whole_characters_only(model, monkeypatch, theta_hat):
    _, _, tokenizer = theta_hat
    assert len(tokenizer.encode("😀")) > 1  # a character in several tokens
    ids = [*tokenizer.encode("a😀é"), tokenizer.end_of_turn_id]
    monkeypatch.setattr("minisft.chat.decode", lambda *a, **k: ([(0, token)] for token in ids))
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    written = []
    monkeypatch.setattr("builtins.print", lambda *a, **k: written.append("".join(a)))
    assert minisft("chat", *model) == 0
    assert "".join(written) == "a😀é" and not any("\ufffd" in piece for piece in written)
    assert {"a", "😀", "é"} <= set(written)  # as soon as they are whole


def test_chat_shows_bytes_that_never_become_a_character_at_the_end(talk, model, monkeypatch, theta_hat, capsys):
    _, _, tokenizer = theta_hat
    ids = [tokenizer.encode("😀")[0], tokenizer.end_of_turn_id]
    monkeypatch.setattr("minisft.chat.decode", lambda *a, **k: ([(0, token)] for token in ids))
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    assert minisft("chat", *model) == 0
    assert capsys.readouterr().out == "\ufffd\n"


def test_chat_works_in_a_pipe(model):
    done = subprocess_of("chat", *model, "--max-new-tokens", 4, input="Hi\nWho?\n/exit\n")
    assert done.returncode == 0 and done.stdout.count("\n") >= 2 and "Traceback" not in done.stderr


def test_json_of_chat_is_the_conversation(model, monkeypatch, json_of):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    messages = json_of("chat", *model, "--system", "S", "--max-new-tokens", 3)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant"]


# --- gradcheck --------------------------------------------------------------------------------------------------------


def test_gradcheck_covers_every_layer_the_objective_and_a_tied_and_an_untied_model(json_of):
    result = json_of("gradcheck")
    assert result["passed"] and result["tolerance"] == 1e-6
    names = [check["tensor"] for check in result["checks"]]
    for part in ("attention", "block", "embedding", "linear", "rmsnorm", "rotary", "swiglu"):
        assert any(name.startswith(f"layers.{part} ") for name in names)
    assert {"objective input", "tied model.norm.weight", "untied lm_head.weight"} <= set(names)
    assert all(check["passed"] and check["relative_error"] <= 1e-6 for check in result["checks"])


def test_gradcheck_of_a_model_covers_every_tensor_by_name(json_of, model, pairs, theta_hat):
    theta, _, _ = theta_hat
    result = json_of("gradcheck", *model, *pairs)
    assert [check["tensor"] for check in result["checks"]] == list(theta.named)
    assert all(
        check["relative_error"] <= 1e-9 for check in result["checks"]
    )  # the complex step has no rounding to hide in


def test_a_wrong_backward_ends_in_3_with_the_tensors_named(model, pairs, monkeypatch, capsys):
    backward = rmsnorm.backward

    def forgetful(p, g, cache, dy):
        kept = g.weight.copy()
        dx = backward(p, g, cache, dy)
        g.weight[...] = kept  # the gain never learns
        return dx

    monkeypatch.setattr(rmsnorm, "backward", forgetful)
    assert minisft("gradcheck", *model, *pairs) == 3
    out, err = capsys.readouterr()
    assert "WRONG" in out and err.startswith(
        "minisft: error: gradcheck: the gradient is wrong for model.layers.0.input"
    )
    assert "model.norm.weight" in err and "q_proj" not in err
    assert minisft("gradcheck") == 3
    assert "layers.rmsnorm weight" in capsys.readouterr().err


def test_gradients_that_are_not_numbers_are_wrong_and_null_in_json(json_of, monkeypatch):
    monkeypatch.setattr(modelcheck, "layer_errors", lambda rng: {"layers.linear weight": math.nan})
    result = json_of("gradcheck", status=3)
    assert result["passed"] is False and result["checks"][0]["relative_error"] is None
