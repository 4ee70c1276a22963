"""evaluate, inspect, generate and gradcheck: what they print for people and for programs, and what they write."""

import math
import shutil

import numpy as np
import pytest
from support.commandline import PAIRS, contents, conversation, minisft, read_rows, write_rows

from minisft import data, evaluate, generate
from minisft.layers import rmsnorm
from minisft.verification import whole_model

PER_EXAMPLE = "index num_target_tokens log_prob predicted expected exact stopped"
TOKEN = "position id text is_target weight log_prob contribution"


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate_reports_the_sum_the_count_and_the_mean_together(json_of, base, pairs, loaded):
    result = json_of("evaluate", *base, *pairs, "--dtype", "float64")
    names = "num_examples num_target_tokens log_prob loss mean_token_accuracy exact_match stop_rate"
    assert list(result) == names.split()
    assert result["loss"] == pytest.approx(-result["log_prob"] / result["num_target_tokens"], rel=1e-12)
    theta, config, tokenizer = loaded
    sequences = [data.encode(example, tokenizer) for example in data.read([pairs[1]])]
    values = evaluate.log_probs(theta, config, sequences)
    assert result["num_target_tokens"] == sum(s.is_y.sum() for s in sequences)
    assert result["log_prob"] == pytest.approx(sum(v[s.is_y[1:]].sum() for s, (v, _) in zip(sequences, values)))


def test_evaluate_per_example_writes_one_row_an_example_that_add_up(json_of, base, pairs, tmp_path):
    result = json_of("evaluate", *base, *pairs, "--per-example", tmp_path / "rows.jsonl")
    rows = read_rows(tmp_path / "rows.jsonl")
    assert list(rows[0]) == PER_EXAMPLE.split()
    assert [row["index"] for row in rows] == list(range(9))
    assert [row["expected"] for row in rows] == [answer for _, answer in PAIRS]
    assert math.fsum(row["log_prob"] for row in rows) == pytest.approx(result["log_prob"], rel=1e-12)
    assert sum(row["num_target_tokens"] for row in rows) == result["num_target_tokens"]
    assert np.mean([row["stopped"] for row in rows]) == result["stop_rate"]


def test_text_that_asks_nothing_has_no_exact_match(json_of, base, shared, tmp_path):
    result = json_of("evaluate", *base, "--data", shared / "texts.jsonl", "--per-example", tmp_path / "rows.jsonl")
    assert result["exact_match"] is None and result["stop_rate"] is None and result["log_prob"] < 0
    assert read_rows(tmp_path / "rows.jsonl")[0]["predicted"] is None


def test_dropped_examples_are_left_out_and_the_others_keep_their_index(json_of, base, tmp_path):
    rows = [conversation("Hi", "x " * 99), conversation("Hi", "Yes.")]
    line = ["--data", write_rows(tmp_path / "long.jsonl", rows), "--per-example", tmp_path / "rows.jsonl"]
    assert json_of("evaluate", *base, *line, "--on-too-long", "drop")["num_examples"] == 1
    assert [row["index"] for row in read_rows(tmp_path / "rows.jsonl")] == [1]
    assert json_of("evaluate", *base, *line)["num_examples"] == 2


def test_only_the_last_answer_counts_if_that_is_asked_for(json_of, base, tmp_path, loaded):
    *_, tokenizer = loaded
    turns = conversation("Hi", "Hello.")["messages"] + conversation("Who?", "Me.")["messages"]
    line = [*base, "--data", write_rows(tmp_path / "two.jsonl", [{"messages": turns}])]
    answers = [len(tokenizer.encode(answer)) + 1 for answer in ("Hello.", "Me.")]  # each with its end token
    assert json_of("evaluate", *line)["num_target_tokens"] == sum(answers)
    assert json_of("evaluate", *line, "--assistant-turns", "last")["num_target_tokens"] == answers[1]


def test_the_joint_likelihood_counts_the_prompt_as_well(json_of, base, pairs):
    conditional, joint = (json_of("evaluate", *base, *pairs, "--prompt-loss-weight", w) for w in (0, 1))
    assert joint["num_target_tokens"] > conditional["num_target_tokens"]
    assert joint["log_prob"] == conditional["log_prob"]  # log Pr(y|x), whatever is trained


def test_more_than_one_file_is_one_after_the_other(json_of, base, shared):
    path = shared / "train.jsonl"
    once, twice = (json_of("evaluate", *base, "--data", *paths) for paths in ([path], [path, path]))
    assert twice["num_examples"] == 18 and twice["log_prob"] == pytest.approx(2 * once["log_prob"])


def test_names_of_files_are_shown_as_they_are(shared, pairs, tmp_path, capsys):
    shutil.copytree(shared / "theta_hat", tmp_path / "[bold]model[x]")
    assert minisft("evaluate", "--model", tmp_path / "[bold]model[x]", *pairs, "--max-new-tokens", 1) == 0
    assert "[bold]model[x]" in capsys.readouterr().out.replace("\n", "")


# --- inspect ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["token_mean", "sum", "sequence_mean"])
@pytest.mark.parametrize("weight", [0, 0.5])
def test_the_contributions_of_a_token_report_add_up_to_the_loss(json_of, base, pairs, reduction, weight):
    line = [*base, *pairs, "--loss-reduction", reduction, "--prompt-loss-weight", weight, "--dtype", "float64"]
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


def test_the_token_report_lists_every_token_and_says_which_are_targets(json_of, base, pairs, loaded):
    _, _, tokenizer = loaded
    [example] = json_of("inspect", *base, *pairs, "--example", 1)["examples"]
    tokens = example["tokens"]
    assert set(tokens[0]) == set(TOKEN.split())
    assert [token["position"] for token in tokens] == list(range(len(tokens)))
    target = [token["id"] for token in tokens if token["is_target"]]
    assert target == [*tokenizer.encode(PAIRS[1][1]), tokenizer.end_of_turn_id]
    assert tokenizer.decode(target) == PAIRS[1][1]
    first = tokens[0]
    assert (first["log_prob"], first["weight"], first["contribution"], first["is_target"]) == (None, 0, 0, False)
    assert all(token["log_prob"] < 0 for token in tokens[1:])


def test_a_prompt_token_with_a_weight_is_no_target(json_of, base, pairs):
    plain, weighted = (json_of("inspect", *base, *pairs, "--prompt-loss-weight", w)["examples"][0] for w in (0, 0.5))
    assert [t["is_target"] for t in weighted["tokens"]] == [t["is_target"] for t in plain["tokens"]]


def test_the_first_token_of_a_text_is_given_and_so_no_target(json_of, base, shared):
    [example] = json_of("inspect", *base, "--data", shared / "texts.jsonl", "--example", 0)["examples"]
    assert [token["is_target"] for token in example["tokens"][:2]] == [False, True]


def test_an_example_of_a_file_that_is_read_twice_is_shown_once(json_of, base, pairs):
    result = json_of("inspect", *base, *pairs, pairs[1], "--example", 10)
    assert result == json_of("inspect", *base, *pairs, "--example", 1)


def test_weights_are_those_of_a_step_made_of_the_examples_shown(json_of, base, pairs):
    for line, count in ((["--example", 2], 1), ([], 9)):
        examples = json_of("inspect", *base, *pairs, *line)["examples"]
        assert len(examples) == count
        assert sum(token["weight"] for example in examples for token in example["tokens"]) == pytest.approx(1)


def test_the_table_of_a_token_report_makes_control_characters_visible(base, tmp_path, capsys):
    rows = write_rows(tmp_path / "odd.jsonl", [{"prompt": "[red] :smile:", "completion": "a\n\tb\x1b[0m"}])
    assert minisft("inspect", *base, "--data", rows) == 0
    out = capsys.readouterr().out
    assert "↵" in out and "\\t" in out and "\\x1b" in out and "\x1b" not in out and "\t" not in out
    cells = [line.split("│")[3].strip() for line in out.splitlines() if line.startswith("│")]
    assert "".join(cells).startswith("[red]:smile:")  # texts of tokens are shown, not read as markup


# --- generate ---------------------------------------------------------------------------------------------------------


def test_generate_prints_the_answer_the_library_gives(json_of, base, loaded, capsys):
    theta, config, tokenizer = loaded
    asked, _ = data.question(data.example(conversation("Who?", ""), ""), tokenizer)
    [answer] = generate.generate(theta, config, [asked], 5, {tokenizer.end_of_turn_id, tokenizer.eos_id})
    line = [*base, "--prompt", "Who?", "--max-new-tokens", 5, "--dtype", "float64"]
    expected = {"prompt": [{"role": "user", "content": "Who?"}], "predicted": tokenizer.decode(answer.ids)}
    assert json_of("generate", *line) == expected | {"stopped": answer.stopped}
    assert minisft("generate", *line) == 0
    assert capsys.readouterr() == (expected["predicted"] + "\n", "")


def test_raw_continues_the_prompt_without_the_template(json_of, base, loaded):
    theta, config, tokenizer = loaded
    [answer] = generate.generate(theta, config, [tokenizer.encode("The cap")], 5, {tokenizer.eos_id})
    line = ["--prompt", "The cap", "--raw", "--max-new-tokens", 5, "--dtype", "float64"]
    assert json_of("generate", *base, *line)["predicted"] == tokenizer.decode(answer.ids)


def test_answers_to_a_file_are_written_in_its_order_in_every_form_of_prompt(json_of, base, tmp_path):
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
    result = json_of("generate", *base, *line)
    answers = read_rows(tmp_path / "out.jsonl")
    assert result["num_examples"] == 5 and result["stop_rate"] == np.mean([row["stopped"] for row in answers])
    assert [row["index"] for row in answers] == [0, 1, 2, 3, 4]
    assert [row["prompt"] for row in answers] == [[turn], [turn], "The cap", [turn], [turn]]
    assert len({row["predicted"] for row in answers if row["prompt"] == [turn]}) == 1
    assert (
        answers[2]["predicted"] == json_of("generate", *base, "--prompt", "The cap", "--raw", *line[-2:])["predicted"]
    )


def test_draws_repeat_with_the_seed_and_differ_with_another(json_of, base):
    def draw(*flags):
        return json_of("generate", *base, "--prompt", "Who?", "--temperature", 1, "--max-new-tokens", 20, *flags)[
            "predicted"
        ]

    greedy = json_of("generate", *base, "--prompt", "Who?", "--max-new-tokens", 20)["predicted"]
    assert draw("--seed", 1) == draw("--seed", 1) != draw("--seed", 2)
    assert draw("--top-k", 1) == draw("--top-p", 1e-9) == draw("--temperature", 1e-300) == greedy


def test_files_of_answers_are_whole_or_as_they_were(base, pairs, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    out.write_text("before")

    def fail(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("minisft.cli.commands.generate.generate", fail)
    monkeypatch.setattr("minisft.cli.commands.evaluate.evaluate", fail)
    assert minisft("generate", *base, *pairs, "--output", out) == 130
    assert minisft("evaluate", *base, *pairs, "--per-example", out) == 130
    assert contents(tmp_path) == {out.relative_to(tmp_path): b"before"}


# --- gradcheck --------------------------------------------------------------------------------------------------------


def test_gradcheck_covers_every_layer_the_objective_and_a_tied_and_an_untied_model(json_of):
    result = json_of("gradcheck")
    assert result["passed"] and result["tolerance"] == 1e-9
    names = [check["tensor"] for check in result["checks"]]
    for part in ("attention", "block", "embedding", "linear", "rmsnorm", "rotary", "swiglu"):
        assert any(name.startswith(f"layers.{part} ") for name in names)
    assert {"objective input", "tied model.norm.weight", "untied lm_head.weight"} <= set(names)
    assert all(check["passed"] and check["complex_step"] <= 1e-12 for check in result["checks"])
    assert all(check["difference"] <= 1e-6 for check in result["checks"])


def test_gradcheck_of_a_model_covers_every_tensor_by_name(json_of, base, pairs, loaded):
    theta, _, _ = loaded
    result = json_of("gradcheck", *base, *pairs)
    assert [check["tensor"] for check in result["checks"]] == list(theta.named)
    assert all(check["complex_step"] <= 1e-12 for check in result["checks"])  # no rounding to hide in
    assert all(check["difference"] is not None for check in result["checks"])


def test_gradcheck_of_a_model_takes_the_first_4_examples(json_of, base, pairs, monkeypatch):
    def fake(theta, config, part, rng):
        return {"S": whole_model.Errors(0.0, len(part.starts) - 1.0)}

    monkeypatch.setattr(whole_model, "model_errors", fake)
    assert json_of("gradcheck", *base, *pairs, status=3)["checks"][0]["complex_step"] == 4


def test_a_wrong_backward_ends_in_3_with_the_tensors_named(base, pairs, monkeypatch, capsys):
    backward = rmsnorm.backward

    def forgetful(p, g, cache, dy):
        kept = g.weight.copy()
        dx = backward(p, g, cache, dy)
        g.weight[...] = kept  # the gain never learns
        return dx

    monkeypatch.setattr(rmsnorm, "backward", forgetful)
    assert minisft("gradcheck", *base, *pairs) == 3
    out, err = capsys.readouterr()
    assert "WRONG" in out and err.startswith(
        "minisft: error: gradcheck: the gradient is wrong for model.layers.0.input"
    )
    assert "model.norm.weight" in err and "q_proj" not in err
    assert minisft("gradcheck") == 3
    assert "layers.rmsnorm weight" in capsys.readouterr().err


def test_gradients_that_are_not_numbers_are_wrong_and_null_in_json(json_of, monkeypatch):
    monkeypatch.setattr(
        whole_model, "layer_errors", lambda rng: {"layers.linear weight": whole_model.Errors(0.0, math.nan)}
    )
    result = json_of("gradcheck", status=3)
    assert result["passed"] is False and result["checks"][0]["complex_step"] is None
