"""ŷ: the sampler draws from π, greedy is its argmax, and what is remembered changes nothing."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.by_hand import END, all_answers, log_pi, log_prob, markov, toy

from minisft import model
from minisft.errors import MinisftError
from minisft.generate import Answer, Past, decode, generate, sampling_distribution

PROMPTS = [[1, 2, 3, 3], [2], [3, 1, 1, 2, 2, 1, 3], [1, 3], [2, 2, 2]]
NEVER = ()  # no end token


def cycle(*order, size=6):
    """A model that all but certainly goes round in this order of tokens."""
    transitions = np.full((size, size), 1e-6)
    for one, following in zip(order, (*order[1:], order[0]), strict=True):
        transitions[one, following] = 1
    return markov(transitions / transitions.sum(-1, keepdims=True))


def greedy_by_hand(theta, config, prompt, max_new_tokens, stop_ids):
    """The whole text again for every token, by the loops of by_hand.py."""
    ids = list(prompt)
    while len(ids) < min(len(prompt) + max_new_tokens, config.max_position_embeddings):
        token = int(log_pi(theta, config, np.array(ids))[-1].argmax())
        if token in stop_ids:
            return Answer(ids[len(prompt) :], True)
        ids.append(token)
    return Answer(ids[len(prompt) :], False)


# Greedy


@pytest.mark.parametrize("seed", range(6))
def test_greedy_is_the_argmax_step_by_step_without_remembering_anything(seed):
    theta, config = toy(seed)
    expected = [greedy_by_hand(theta, config, prompt, 20, {END}) for prompt in PROMPTS]
    assert generate(theta, config, PROMPTS, 20, {END}) == expected


def test_the_toys_of_these_tests_both_stop_and_go_on():
    """Otherwise the comparison above would say little."""
    answers = [answer for seed in range(6) for answer in generate(*toy(seed), PROMPTS, 20, {END})]
    assert {answer.stopped for answer in answers} == {True, False}
    assert len({len(answer.ids) for answer in answers}) > 3
    assert len({tuple(answer.ids) for answer in answers}) > 10


@pytest.mark.parametrize("seed", range(6))
def test_prompts_of_different_lengths_together_are_answered_as_one_at_a_time(seed):
    theta, config = toy(seed)
    together = generate(theta, config, PROMPTS, 20, {END})
    assert together == [generate(theta, config, [prompt], 20, {END})[0] for prompt in PROMPTS]


def test_with_remembered_keys_and_values_the_logits_are_those_of_the_whole_text():
    """A text read in pieces of 3, 1, 1, 4 tokens beside another read in pieces of 2, 5, 1, 1."""
    theta, config = toy()
    texts = np.array([1, 2, 3, 3, 1, 2, 2, 1, 3]), np.array([3, 3, 1, 2, 1, 1, 2, 3, 2])
    past = Past(config, 2, 12, np.float64)
    read = [0, 0]
    for lengths in ((3, 2), (1, 5), (1, 1), (4, 1)):
        new = [text[done : done + n] for text, done, n in zip(texts, read, lengths, strict=True)]
        starts = np.array([0, lengths[0], sum(lengths)])
        logits, _ = model.forward(theta, config, np.concatenate(new), starts, np.arange(starts[-1]), past)
        for s in range(2):
            whole, _ = model.forward(theta, config, texts[s], np.array([0, 9]), np.arange(9))
            expected = whole[read[s] : read[s] + lengths[s]]
            assert_allclose(logits[starts[s] : starts[s + 1]], expected, rtol=1e-10, atol=1e-12)
            read[s] += lengths[s]
            assert past.lengths[s] == read[s]


# Where an answer ends


def test_an_answer_ends_at_the_end_token_which_is_no_part_of_it():
    theta, config = cycle(1, 2, 3, 0)
    assert generate(theta, config, [[1]], 20, {0}) == [Answer([2, 3], True)]
    assert generate(theta, config, [[3]], 20, {0}) == [Answer([], True)]


def test_any_of_several_end_tokens_ends_it_whichever_comes_first():
    theta, config = cycle(1, 2, 3, 4, 5)
    assert generate(theta, config, [[1]], 20, {3, 5}) == [Answer([2], True)]
    assert generate(theta, config, [[3]], 20, {3, 5, None}) == [Answer([4], True)]


def test_an_end_token_in_the_prompt_ends_nothing():
    theta, config = cycle(1, 2, 3, 0)
    assert generate(theta, config, [[3, 0, 1]], 20, {0}) == [Answer([2, 3], True)]


def test_an_answer_has_at_most_max_new_tokens():
    theta, config = cycle(1, 2, 3)
    for n in range(6):
        assert generate(theta, config, [[1], [3, 3]], n, NEVER) == [
            Answer([2, 3, 1, 2, 3][:n], False),
            Answer([1, 2, 3, 1, 2][:n], False),
        ]


def test_an_end_token_as_the_last_of_max_new_tokens_still_counts_as_stopped():
    theta, config = cycle(1, 2, 3, 0)
    assert generate(theta, config, [[1]], 3, {0}) == [Answer([2, 3], True)]
    assert generate(theta, config, [[1]], 2, {0}) == [Answer([2, 3], False)]


def test_an_answer_ends_where_the_context_is_full():
    theta, config = toy()
    assert config.max_position_embeddings == 12
    prompts = [[1] * n for n in (1, 7, 11)]
    assert [len(answer.ids) for answer in generate(theta, config, prompts, 100, NEVER)] == [11, 5, 1]
    assert not any(answer.stopped for answer in generate(theta, config, prompts, 100, NEVER))


def test_prompts_that_end_early_leave_the_others_as_they_are():
    theta, config = cycle(1, 2, 3, 4, 0)
    assert generate(theta, config, [[4], [1], [3], [2]], 20, {0}) == [
        Answer([], True),
        Answer([2, 3, 4], True),
        Answer([4], True),
        Answer([3, 4], True),
    ]


def test_tokens_come_one_by_one_with_the_number_of_their_prompt_the_end_token_too():
    theta, config = cycle(1, 2, 3, 4, 0)
    steps = list(decode(theta, config, [[3], [1]], 3, {0}))
    assert steps == [[(0, 4), (1, 2)], [(0, 0), (1, 3)], [(1, 4)]]


@pytest.mark.parametrize("length", [0, 12, 13])
def test_a_prompt_that_is_empty_or_fills_the_context_is_refused_with_its_number(length):
    theta, config = toy()
    with pytest.raises(MinisftError, match=f"prompt 1: {length} tokens"):
        generate(theta, config, [[1], [1] * length], 5, {END})


def test_logits_that_are_not_finite_are_an_error_and_not_an_answer():
    theta, config = toy()
    theta.model.norm.weight[0] = np.nan
    with pytest.raises(MinisftError, match="not finite"):
        generate(theta, config, [[1]], 5, {END})


def test_no_prompts_have_no_answers():
    assert generate(*toy(), [], 5, {END}) == []


def test_generating_leaves_theta_and_the_prompts_as_they_are():
    theta, config = toy()
    kept, prompts = theta.flat.copy(), [list(prompt) for prompt in PROMPTS]
    generate(theta, config, prompts, 5, {END})
    assert_array_equal(theta.flat, kept)
    assert prompts == PROMPTS


def test_float32_parameters_answer_too():
    theta, config = toy()
    expected = generate(theta, config, PROMPTS, 5, {END})
    assert generate(theta.astype(np.float32), config, PROMPTS, 5, {END}) == expected


# Sampling


LOGITS = np.log([1 / 8, 1 / 2, 1 / 8, 1 / 4])  # the softmax of these is the fractions again


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [
        ({}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
        ({"temperature": 0.5}, [1 / 22, 16 / 22, 1 / 22, 4 / 22]),  # squares: 1, 16, 1, 4 in 64ths
        ({"temperature": 2.0}, np.sqrt([1, 4, 1, 2]) / (4 + np.sqrt(2))),  # roots
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 2}, [0, 2 / 3, 0, 1 / 3]),
        ({"top_k": 3}, [1 / 7, 4 / 7, 0, 2 / 7]),  # of two equally likely the smaller id stays
        ({"top_k": 4}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
        ({"top_k": 99}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
        ({"top_p": 0.0}, [0, 1, 0, 0]),  # never nothing
        ({"top_p": 0.49}, [0, 1, 0, 0]),
        ({"top_p": 0.51}, [0, 2 / 3, 0, 1 / 3]),  # 1/2 is not enough
        ({"top_p": 0.74}, [0, 2 / 3, 0, 1 / 3]),
        ({"top_p": 0.76}, [1 / 7, 4 / 7, 0, 2 / 7]),
        ({"top_p": 0.99}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
        ({"top_p": 1.0}, [1 / 8, 1 / 2, 1 / 8, 1 / 4]),
        ({"top_k": 3, "top_p": 0.56}, [0, 1, 0, 0]),  # of the three 4/7 = 0.571 is enough
        ({"top_k": 3, "top_p": 0.58}, [0, 2 / 3, 0, 1 / 3]),
        ({"temperature": 0.5, "top_p": 0.72}, [0, 1, 0, 0]),  # the temperature first: 16/22 = 0.727
        ({"temperature": 0.5, "top_k": 2}, [0, 4 / 5, 0, 1 / 5]),
    ],
)
def test_the_sampler_draws_from_the_softmax_cut_to_the_likeliest(settings, by_hand):
    pi = sampling_distribution(LOGITS, **{"temperature": 1.0} | settings)
    assert_allclose(pi, by_hand, rtol=1e-12)
    assert_array_equal(pi == 0, np.array(by_hand) == 0)


def test_top_p_keeps_the_smallest_set_that_reaches_p_where_it_is_reached_exactly():
    """Equal logits: π is 1/4 each, in floating point too, so three of them are exactly 0.75."""
    assert_allclose(sampling_distribution(np.zeros(4), 1.0, top_p=0.75), [1 / 3, 1 / 3, 1 / 3, 0])
    assert_allclose(sampling_distribution(np.zeros(4), 1.0, top_p=0.25), [1, 0, 0, 0])


def test_probabilities_are_float64_that_sum_to_1_whatever_the_logits():
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1, 1e3):
        for dtype in (np.float32, np.float64):
            for top_k, top_p in ((0, 1.0), (5, 1.0), (0, 0.5), (5, 0.9)):
                pi = sampling_distribution((scale * rng.standard_normal(50)).astype(dtype), 0.7, top_k, top_p)
                assert pi.dtype == np.float64
                assert_allclose(pi.sum(), 1, rtol=1e-12)


def test_a_temperature_near_0_is_greedy():
    for temperature in (1e-3, 1e-9, 1e-300):
        assert_array_equal(sampling_distribution(np.array([1.0, 3.0, 2.0]), temperature), [0, 1, 0])


def test_top_k_of_1_is_greedy_whatever_the_temperature():
    theta, config = toy()
    sampled = generate(theta, config, PROMPTS, 8, {END}, temperature=5.0, top_k=1, rng=np.random.default_rng(0))
    assert sampled == generate(theta, config, PROMPTS, 8, {END})


def test_a_tiny_top_p_is_greedy_whatever_the_temperature():
    theta, config = toy()
    sampled = generate(theta, config, PROMPTS, 8, {END}, temperature=5.0, top_p=1e-9, rng=np.random.default_rng(0))
    assert sampled == generate(theta, config, PROMPTS, 8, {END})


def test_a_temperature_near_0_is_greedy_in_the_answers_too():
    theta, config = toy()
    sampled = generate(theta, config, PROMPTS, 8, {END}, temperature=1e-9, rng=np.random.default_rng(0))
    assert sampled == generate(theta, config, PROMPTS, 8, {END})


def test_the_same_generator_of_random_numbers_gives_the_same_answers():
    theta, config = toy()

    def answers(seed):
        return generate(theta, config, PROMPTS, 8, {END}, temperature=1.0, rng=np.random.default_rng(seed))

    assert answers(0) == answers(0)
    assert len({str(answers(seed)) for seed in range(5)}) > 1


def test_the_frequencies_of_sampled_answers_are_their_enumerated_probabilities():
    """4000 draws of at most 3 tokens: 13 answers that end and 27 that are cut off, each within 5 standard errors."""
    theta, config = toy()
    theta.lm_head.weight[...] *= 0.3  # logits closer together: no answer is rare
    x, n = [2, 1], 4000
    ended, cut_off = all_answers(3)
    exact = {tuple(y): np.exp(log_prob(theta, config, x, y)) for y in ended + cut_off}
    assert_allclose(sum(exact.values()), 1, rtol=1e-12)
    assert n * min(exact.values()) > 10  # enough of the rarest for a standard error to mean something
    sampled = generate(theta, config, [x] * n, 3, {END}, temperature=1.0, rng=np.random.default_rng(0))
    counts = Counter((*answer.ids, END) if answer.stopped else tuple(answer.ids) for answer in sampled)
    assert counts.keys() <= exact.keys()
    for y, p in exact.items():
        assert abs(counts[y] / n - p) <= 5 * np.sqrt(p * (1 - p) / n), y
