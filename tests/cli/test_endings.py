"""--stop, --repetition-penalty and --parse-special; and how a model is asked that has learned plain text alone."""

import json
import shutil

import pytest
from support.commandline import assert_refused, conversation, minisft, read_rows, write_rows

from minisft.generate import Answer


@pytest.fixture
def spoken(monkeypatch, loaded):
    """Every answer is the text that this is given; a list of what each was asked."""
    *_, tokenizer = loaded

    def speak(text):
        asked = []

        def answers(theta, config, prompts, max_new_tokens, stop_ids, ended=None, **more):
            asked.extend([tokenizer.decode(ids), more] for ids in prompts)
            ids = tokenizer.encode(text)
            length = next((n for n in range(1, len(ids)) if ended(ids[:n])), len(ids))
            return [Answer(ids[:length], length < len(ids)) for _ in prompts]

        monkeypatch.setattr("minisft.cli.commands.generate.generate", answers)
        monkeypatch.setattr("minisft.evaluate.generate", answers)
        return asked

    return speak


def test_generate_ends_an_answer_before_a_stop_text(base, json_of, spoken):
    spoken("One. Two. Three.")
    assert json_of("generate", *base, "--prompt", "Hi", "--stop", "Two", "Three")["predicted"] == "One. "
    assert json_of("generate", *base, "--prompt", "Hi", "--stop", "Two")["stopped"]
    assert json_of("generate", *base, "--prompt", "Hi")["predicted"] == "One. Two. Three."


def test_evaluate_grades_an_answer_up_to_its_stop_text(base, json_of, spoken, tmp_path):
    path = write_rows(tmp_path / "data.jsonl", [conversation("Hi", "One.")])
    asked = spoken("One. Two.")
    line = ["evaluate", *base, "--data", path, "--repetition-penalty", 1.5]
    assert json_of(*line)["exact_match"] == 0.0
    result = json_of(*line, "--stop", " Two")
    assert result["exact_match"] == 1.0 and result["stop_rate"] == 1.0
    assert asked[0][1] == {"repetition_penalty": 1.5}


def test_the_penalty_reaches_generate(base, json_of, spoken):
    asked = spoken("One.")
    json_of("generate", *base, "--prompt", "Hi", "--repetition_penalty", 1.25)
    assert asked[0][1]["repetition_penalty"] == 1.25


@pytest.mark.parametrize("flags", ["--repetition-penalty 0", "--repetition-penalty nan", "--stop ''"])
def test_endings_that_make_no_sense_are_refused_by_the_name_of_the_flag(base, capsys, flags):
    line = ["generate", *base, "--prompt", "Hi", *(word.strip("'") for word in flags.split())]
    assert_refused(capsys, line, flags.split()[0] + ": ")


def test_parse_special_reads_special_tokens_in_a_raw_text_as_what_they_are(base, loaded, json_of, monkeypatch):
    *_, tokenizer = loaded
    asked = []

    def answers(theta, config, prompts, *arguments, **more):
        asked.extend(prompts)
        return [Answer([], True) for _ in prompts]

    monkeypatch.setattr("minisft.cli.commands.generate.generate", answers)
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    for flags in ([], ["--raw"], ["--raw", "--parse-special"]):
        json_of("generate", *base, "--prompt", text if flags else "Hi", *flags)
    in_template, letters, parsed = asked
    assert parsed == in_template and tokenizer.decode(letters) == text


def test_parse_special_is_for_raw(base, capsys):
    assert_refused(capsys, ["generate", *base, "--prompt", "Hi", "--parse-special"], "--parse-special: ", "--raw")


# --- models of plain text ---------------------------------------------------------------------------------------------

PLAIN = [{"prompt": "Capital of Peru? ", "completion": "Lima."}, {"text": "Peru is a country."}]


@pytest.fixture
def trained(base, tmp_path):
    """The directory of a model that is tuned on these rows."""

    def train(rows, *flags):
        path, output = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "tuned"
        assert minisft("sft", *base, "--data", path, "--output-dir", output, "--max-steps", 1, *flags) == 0
        return output

    return train


def test_a_model_of_plain_text_continues_a_prompt_as_it_is_and_says_so(trained, spoken, capsys):
    model, asked = trained(PLAIN, "--save-steps", 1), spoken("Lima.")
    for directory in (model, model / "checkpoint-1"):
        capsys.readouterr()
        assert minisft("generate", "--model", directory, "--prompt", "Capital of Peru? ") == 0
        out, err = capsys.readouterr()
        assert out == "Lima.\n" and err == (
            "this model was trained on plain text: it continues --prompt as it is, without the chat template\n"
        )
    assert minisft("generate", "--model", model, "--prompt", "Capital of Peru? ", "--raw") == 0
    assert capsys.readouterr().err == ""
    assert {text for text, _ in asked} == {"Capital of Peru? "}


def test_a_model_of_conversations_is_asked_in_its_template_without_a_word(trained, spoken, capsys):
    model, asked = trained([*PLAIN, conversation("Hi", "Yes.")]), spoken("Lima.")
    capsys.readouterr()
    assert minisft("generate", "--model", model, "--prompt", "Hi") == 0
    assert capsys.readouterr() == ("Lima.\n", "") and asked[0][0] == "user\nHi\nassistant\n"


def test_chat_refuses_a_model_of_plain_text(trained, capsys):
    assert_refused(capsys, ["chat", "--model", str(trained(PLAIN))], "--model: ", "plain text", "minisft generate")


def test_conversations_asked_of_a_model_of_plain_text_are_warned_of(trained, spoken, tmp_path, capsys):
    model, path = trained(PLAIN), write_rows(tmp_path / "talk.jsonl", [conversation("Hi", "Yes.")])
    spoken("Lima.")
    for line in (["evaluate"], ["generate", "--output", tmp_path / "out.jsonl"]):
        capsys.readouterr()
        assert minisft(*line, "--model", model, "--data", path) == 0
        assert f"warning: {model} was trained on plain text" in capsys.readouterr().err
    capsys.readouterr()
    assert minisft("evaluate", "--model", model, "--data", write_rows(tmp_path / "plain.jsonl", PLAIN)) == 0
    assert "warning" not in capsys.readouterr().err
    assert len(read_rows(tmp_path / "out.jsonl")) == 1


def test_a_model_that_is_pretrained_has_learned_plain_text(shared, tmp_path, capsys):
    line = ["pretrain", "--tokenizer", shared / "theta_hat", "--data", shared / "texts.jsonl", "--max-steps", 1]
    assert minisft(*line, "--output-dir", tmp_path / "out", "--hidden-size", 8, "--num-hidden-layers", 1) == 0
    assert_refused(capsys, ["chat", "--model", str(tmp_path / "out")], "plain text")


def test_a_model_that_says_nothing_of_its_training_is_asked_in_its_template(trained, spoken, tmp_path, capsys):
    model, asked = trained(PLAIN), spoken("Lima.")
    for record in ("{", json.dumps({"command": "sft"}), None):
        other = tmp_path / "other"
        shutil.copytree(model, other, dirs_exist_ok=True)
        (other / "train_config.json").unlink() if record is None else (other / "train_config.json").write_text(record)
        assert minisft("generate", "--model", other, "--prompt", "Hi") == 0
    assert {text for text, _ in asked} == {"user\nHi\nassistant\n"}
