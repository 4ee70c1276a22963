"""What the model is asked, what it answers, and when an answer is exact and has stopped."""

import json

from conftest import random_theta
from numpy.testing import assert_allclose
from support import answers
from support.answers import certain, log_prob_of_y

from minisft import evaluate
from minisft.config import ModelConfig
from minisft.data import encode
from minisft.formats.rows import example
from minisft.tokenizer import Tokenizer

tokenizer = answers.tokenizer


def conversation(answer, question="Hi"):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return example({"messages": messages}, "")


def test_multi_turn_in_one_pass_is_the_sum_of_one_pass_per_turn(tokenizer):
    """Σ_k log Pr(y_k | x_1, y_1, …, x_k): the last of each prefix of the conversation, added up."""
    config = ModelConfig(tokenizer.vocab_size, 8, 12, 2, 2, 1, max_position_embeddings=256)
    theta = random_theta(config)
    said = ["Hi", "Paris", "the capital", "France is", "of", ""]
    messages = [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(said)]
    one_pass = encode(example({"messages": messages}, ""), tokenizer)
    per_turn = [encode(example({"messages": messages[:n]}, ""), tokenizer, "last") for n in (2, 4, 6)]
    assert one_pass.is_y.sum() == sum(s.is_y.sum() for s in per_turn)
    total = log_prob_of_y(theta, config, [one_pass])[0]
    assert_allclose(total, log_prob_of_y(theta, config, per_turn).sum(), rtol=1e-10)


def test_exact_match_compares_the_decoded_answer_with_the_content_both_stripped(tokenizer):
    theta, config = certain(tokenizer, "\tParis ", tokenizer.end_of_turn_id)
    contents = ["Paris", "\nParis  ", "paris", "Paris.", ""]
    found = evaluate.answers(theta, config, tokenizer, [conversation(content) for content in contents], 20)
    assert [answer["exact"] for answer in found] == [True, True, False, False, False]
    assert [answer["expected"] for answer in found] == contents
    assert all(answer["predicted"] == "\tParis " and answer["stopped"] for answer in found)


def test_exact_match_compares_texts_as_the_tokenizer_reads_them_so_every_token_right_is_an_exact_match(tokenizer):
    """A tokenizer that composes never writes e and an accent: what it answers is é, however the content is typed."""
    source = json.loads(tokenizer.source) | {"normalizer": {"type": "NFC"}}
    composing = Tokenizer(json.dumps(source).encode(), tokenizer.config)
    theta, config = certain(composing, "caf\u00e9", composing.end_of_turn_id)
    contents = ["cafe\u0301", " cafe\u0301\n", "caf\u00e9", "cafe"]
    found = evaluate.answers(theta, config, composing, [conversation(content) for content in contents], 20)
    assert [answer["exact"] for answer in found] == [True, True, True, False]
    assert [answer["expected"] for answer in found] == contents  # written as they were given
    (plain,) = evaluate.answers(
        *certain(tokenizer, "caf\u00e9", tokenizer.end_of_turn_id), tokenizer, [conversation(contents[0])], 20
    )
    assert not plain["exact"]  # this one reads the two as different tokens


def test_generation_stops_at_the_end_of_turn_in_a_chat_and_at_the_end_of_text_in_plain_text(tokenizer):
    chat = conversation("Paris"), certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    plain = example({"prompt": "x ", "completion": "Paris"}, ""), certain(tokenizer, "Paris", tokenizer.eos_id, "x ")
    for asked, (theta, config) in (chat, plain):
        (answer,) = evaluate.answers(theta, config, tokenizer, [asked], 20)
        assert answer == {"predicted": "Paris", "expected": "Paris", "exact": True, "stopped": True}


def test_an_answer_cut_off_by_its_length_has_not_stopped(tokenizer):
    theta, config = certain(tokenizer, "Paris France", tokenizer.end_of_turn_id)
    needed = len(tokenizer.encode("Paris France")) + 1
    for length, stopped in ((needed, True), (needed - 1, False)):
        (answer,) = evaluate.answers(theta, config, tokenizer, [conversation("Paris France")], length)
        assert answer["exact"] and answer["stopped"] is stopped
    (answer,) = evaluate.answers(theta, config, tokenizer, [conversation("Paris France")], needed - 2)
    assert not answer["exact"]


def test_more_examples_than_are_answered_together_keep_their_order(tokenizer, monkeypatch):
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    monkeypatch.setattr(evaluate, "PROMPTS", 2)
    examples = [conversation(content) for content in ("Paris", "of", "the", "Paris", "is")]
    found = evaluate.answers(theta, config, tokenizer, examples, 20)
    assert [answer["expected"] for answer in found] == ["Paris", "of", "the", "Paris", "is"]
    assert [answer["exact"] for answer in found] == [True, False, False, True, False]
    assert evaluate.answers(theta, config, tokenizer, [], 20) == []


def test_an_example_that_asks_nothing_has_no_answer(tokenizer):
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    found = evaluate.answers(theta, config, tokenizer, [example({"text": "Paris"}, ""), conversation("Paris")], 20)
    assert found[0] is None and found[1]["exact"]


def test_a_question_that_fills_the_context_is_neither_exact_nor_stopped(tokenizer):
    """Even if the answer expected is empty, as the one given."""
    theta, config = certain(tokenizer, "Paris", tokenizer.end_of_turn_id)
    long = " x" * config.max_position_embeddings
    found = evaluate.answers(theta, config, tokenizer, [conversation("", long), conversation("Paris")], 20)
    assert [(answer["exact"], answer["stopped"]) for answer in found] == [(False, False), (True, True)]
