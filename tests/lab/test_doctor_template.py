"""What the doctor finds in a model's files: templates, end tokens, BOS."""

import json
from dataclasses import replace

import pytest
from support.commandline import conversation, write_rows
from support.doctored import HEALTHY, found, names

from minisft import checkpoint
from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.lab.doctor.model_checks import TEMPLATE

GOOD = [conversation(question, answer) for question, answer in HEALTHY]
PLAIN = CHAT_TEMPLATE.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
BOS = "<|endoftext|>"


@pytest.fixture
def model(shared, tmp_path):
    """A healthy model in a directory, for a test to make ill."""
    theta, config, tokenizer = checkpoint.load(shared / "theta_hat")
    checkpoint.save(tmp_path / "model", theta, config, tokenizer)
    return tmp_path / "model"


@pytest.fixture
def said(model, tmp_path):
    """The names of what is found."""

    def examine(rows=GOOD):
        return names(found(model, write_rows(tmp_path / "rows.jsonl", rows)))

    return examine


def edit(path, **changes):
    value = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(value), encoding="utf-8")


def template(model, source):
    (model / "chat_template.jinja").write_text(source, encoding="utf-8")


def begins_with_bos(model):
    """The tokenizer puts BOS before every text."""
    edit(model / "tokenizer_config.json", bos_token=BOS)
    one = {"SpecialToken": {"id": BOS, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    ids = {BOS: {"id": BOS, "ids": [0], "tokens": [BOS]}}
    both = [text, {"Sequence": {"id": "B", "type_id": 0}}]
    edit(
        model / "tokenizer.json",
        post_processor={"type": "TemplateProcessing", "single": [one, text], "pair": both, "special_tokens": ids},
    )


def no_template(model):
    (model / "chat_template.jinja").unlink()


def two_templates(model):
    edit(model / "tokenizer_config.json", chat_template=CHAT_TEMPLATE.replace("{{- '\\n' }}", "{{- '\\n\\n' }}"))


def end_not_trained(model):
    source = CHAT_TEMPLATE.replace("{{- message['content'] + '<|im_end|>' }}", "{{- message['content'] }}", 1)
    template(model, source.replace("{%- endgeneration %}", "{%- endgeneration %}{{- '<|im_end|>' }}"))


def end_not_stopping(model):
    edit(model / "generation_config.json", eos_token_id=0)


def pad_is_end(model):
    edit(model / "tokenizer_config.json", pad_token={"content": "<|im_end|>"})


def double_bos(model):
    begins_with_bos(model)
    template(model, "{{ bos_token }}" + PLAIN)


def no_bos(model):
    edit(model / "tokenizer_config.json", bos_token=BOS)


def template_differs(model):
    template(model, PLAIN.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n\\n'"))


def unused_rows(model):
    theta, config, tokenizer = checkpoint.load(model)
    larger = theta.named["model.embed_tokens.weight"]
    from minisft import model as transformer
    from minisft.params import Params

    config = replace(config, vocab_size=len(larger) + 5)
    more = Params(transformer.shapes(config), theta.flat.dtype)
    for name, view in theta.named.items():
        more.named[name][: len(view)] = view
    checkpoint.save(model, more, config, tokenizer)


ILL = {
    "no-template": no_template,
    "two-templates": two_templates,
    "end-not-trained": end_not_trained,
    "end-not-stopping": end_not_stopping,
    "pad-is-end": pad_is_end,
    "double-bos": double_bos,
    "no-bos": no_bos,
    "template-differs": template_differs,
    "unused-rows": unused_rows,
}


def test_of_a_healthy_model_nothing_is_said(said):
    assert said() == []


@pytest.mark.parametrize("check", ILL)
def test_a_check_finds_its_plant_and_no_other_does(check, model, said):
    ILL[check](model)
    assert said() == [check]


def test_a_template_that_differs_in_a_probe_is_named_itself_and_not_every_row(model, tmp_path):
    template_differs(model)
    (finding,) = found(model, write_rows(tmp_path / "rows.jsonl", GOOD))["findings"]
    assert finding["where"] == [str(model / "chat_template.jinja")]


def test_every_check_of_the_model_has_its_plant():
    assert {check.name for check in TEMPLATE} == set(ILL)


def test_templates_that_differ_by_one_newline_are_two(model, said):
    edit(model / "tokenizer_config.json", chat_template=CHAT_TEMPLATE)
    assert said() == []
    edit(model / "tokenizer_config.json", chat_template=CHAT_TEMPLATE.replace("\n", "\n\n", 1))
    assert said() == ["two-templates"]


def test_of_several_templates_with_names_the_default_one_counts(model, said):
    default = {"name": "default", "template": CHAT_TEMPLATE}
    edit(model / "tokenizer_config.json", chat_template=[{"name": "tool_use", "template": "x"}, default])
    assert said() == []
    edit(model / "tokenizer_config.json", chat_template=[{"name": "default", "template": PLAIN}])
    assert said() == ["two-templates"]


def test_a_template_that_ends_no_answer_is_told_apart_from_bad_rows(model, said):
    template(model, PLAIN.replace("+ '<|im_end|>'", ""))
    assert "end-not-trained" in said()


def test_a_prompt_that_leaves_the_header_out_differs(model, said):
    template(model, PLAIN.replace("'<|im_start|>assistant\\n'", "''"))
    assert "template-differs" in said()


def test_a_block_that_begins_behind_the_prompt_leaves_tokens_that_other_trainers_never_train(model, said):
    template(model, CHAT_TEMPLATE.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant'"))
    assert said() == ["template-differs"]


def test_thoughts_that_history_loses_differ_only_in_what_is_asked(model, said):
    """A prompt that begins a thought, which the answers of the data do not."""
    template(model, PLAIN.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n<think>'"))
    assert "template-differs" in said()


def test_plain_texts_ask_for_no_template(model, said):
    template(model, "")
    edit(model / "generation_config.json", eos_token_id=0)  # that of a text
    assert said([{"prompt": "The river is", "completion": " the Ucayali."}]) == []
    edit(model / "generation_config.json", eos_token_id=2)
    assert said([{"prompt": "The river is", "completion": " the Ucayali."}]) == ["end-not-stopping"]


def test_a_text_that_begins_with_bos_under_a_tokenizer_that_adds_one_has_two(model, said):
    begins_with_bos(model)
    template(model, "{{ bos_token }}" + PLAIN)
    text = {"text": BOS + "The river is the Ucayali."}
    assert said([text]) == ["double-bos", "special-text", "end-in-text"]


def test_a_template_that_writes_bos_twice_is_found_without_a_tokenizer_that_adds_one(model, said):
    edit(model / "tokenizer_config.json", bos_token=BOS)
    template(model, "{{ bos_token }}{{ bos_token }}" + PLAIN)
    assert said() == ["double-bos"]


def test_a_token_that_begins_every_turn_is_not_missed_at_the_beginning_of_a_plain_text(model, said):
    plain = [{"prompt": "The river is", "completion": " the Ucayali."}]
    edit(model / "tokenizer_config.json", bos_token="<|im_start|>")
    assert said(plain) == []
    edit(model / "tokenizer_config.json", bos_token=BOS)
    assert said(plain) == ["no-bos"]


def test_a_token_for_padding_that_ends_texts_and_no_turn_harms_no_conversation(model, said):
    edit(model / "tokenizer_config.json", pad_token="<|endoftext|>")
    assert said() == []
    assert said([{"prompt": "The river is", "completion": " the Ucayali."}]) == ["pad-is-end"]


def test_without_weights_the_other_checks_are_made_and_what_is_left_out_is_said(model, tmp_path):
    (model / "model.safetensors").unlink()
    pad_is_end(model)
    result = found(model, write_rows(tmp_path / "rows.jsonl", GOOD))
    assert names(result) == ["pad-is-end"]
    assert result["summary"]["sample"] is None and "no weights" in result["summary"]["left_out"]["under θ̂"]
    assert "surprising" not in result["summary"]["checks"]


def test_a_model_of_an_unknown_family_is_examined_without_theta(model, tmp_path):
    edit(model / "config.json", model_type="granite")
    result = found(model, write_rows(tmp_path / "rows.jsonl", GOOD))
    assert names(result) == [] and "granite" in result["summary"]["left_out"]["under θ̂"]
