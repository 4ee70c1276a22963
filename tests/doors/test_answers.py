"""What nobody can mean is refused where answers and measurements begin: `generate`, `evaluate`, `trajectory`."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from support.examples import CHAT, TEXTS
from support.refusals import refusal

from minisft import data, evaluate, trajectory
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Sequence
from minisft.generate import generate, sampling_distribution
from minisft.tokenizer import Tokenizer

NAN = float("nan")
RNG = np.random.default_rng
FOREIGN = [{"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"num_key_value_heads": 4}]


@pytest.fixture
def answer(theta, config):
    """Three tokens of the tiny model, one argument of which is another."""

    def call(**changes):
        given = {"theta": theta, "config": config, "prompts": [[1, 2]], "max_new_tokens": 3, "stop_ids": ()} | changes
        return generate(**given)

    return call


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, -0.1, NAN, np.inf, "1", None], ids=str)
def test_a_temperature_below_0_or_not_finite_is_refused_not_taken_for_greedy(answer, wrong):
    refusal(lambda: answer(temperature=wrong, rng=RNG(0)), "temperature")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("wrong", [5, 1.01, -1, NAN, None, "0.9"], ids=str)
def test_top_p_that_is_not_a_probability_is_refused(answer, wrong, temperature):
    refusal(lambda: answer(temperature=temperature, top_p=wrong, rng=RNG(0)), "top_p")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("wrong", [-1, 2.5, NAN, None], ids=str)
def test_top_k_that_is_not_a_whole_number_from_0_on_is_refused(answer, wrong, temperature):
    """−1 would leave out the least likely token."""
    refusal(lambda: answer(temperature=temperature, top_k=wrong, rng=RNG(0)), "top_k")


@pytest.mark.parametrize("wrong", [None, 0, "seed"])
def test_a_temperature_needs_a_generator_of_random_numbers(answer, wrong):
    refusal(lambda: answer(temperature=1.0, rng=wrong), "rng", "np.random.default_rng")


@pytest.mark.parametrize("wrong", [-1, 2.5, NAN, None, "3"], ids=str)
def test_an_answer_cannot_have_a_negative_or_a_broken_length(answer, wrong):
    refusal(lambda: answer(max_new_tokens=wrong), "max_new_tokens")


@pytest.mark.parametrize("wrong", [None, 3, "<|im_end|>", ["<|im_end|>"], [2.0], iter([1, 2])], ids=str)
def test_stop_ids_that_no_token_equals_are_refused_since_answers_would_never_end(answer, wrong):
    """An iterator too: the first test for membership would use it up."""
    refusal(lambda: answer(stop_ids=wrong), "stop_ids")


def test_stop_ids_may_be_any_collection_of_ids_and_have_none_in_the_place_of_a_missing_one(answer):
    for ids in ({7, None}, [7], (7,), np.array([7]), {7: "end"}, range(7, 8)):
        assert answer(stop_ids=ids) == answer(stop_ids={7})


@pytest.mark.parametrize(
    "prompts",
    [[[1, -1]], [[1, 17]], [[1.7, 2.2]], [[True, False]], [["1", "2"]], ["12"], [1, 2], [[NAN]], [[[1], [2]]]],
)
def test_a_prompt_that_is_not_a_list_of_ids_of_the_vocabulary_is_refused(answer, prompts):
    refusal(lambda: answer(prompts=prompts), "prompt 0", "list of ids")


def test_the_prompt_that_is_wrong_is_named_by_its_number(answer):
    refusal(lambda: answer(prompts=[[1], [2], [3, 40]]), "prompt 2", "0 to 16", 40)


def test_prompts_may_be_lists_or_arrays(answer):
    listed = answer(prompts=[[1, 2], [3, 4]])
    assert answer(prompts=np.array([[1, 2], [3, 4]])) == answer(prompts=[np.array([1, 2]), (3, 4)]) == listed


@pytest.mark.parametrize("changes", [*FOREIGN, {"tie_word_embeddings": False}], ids=str)
def test_a_model_does_not_answer_with_the_config_of_another(config, answer, changes):
    refusal(lambda: answer(config=replace(config, **changes)), "theta", "shape of")


def test_complex_parameters_do_not_answer(theta, answer):
    refusal(lambda: answer(theta=theta.astype(complex)), "theta", "real")


@pytest.mark.parametrize("wrong", [0, -1, NAN, np.inf])
def test_the_sampler_needs_a_temperature_above_0(wrong):
    refusal(lambda: sampling_distribution(np.arange(4.0), wrong), "temperature")


def test_the_sampler_needs_logits_of_one_row_that_are_numbers():
    z = np.arange(4.0)
    for wrong in (np.stack((z, z)), z * NAN, z * 1j, np.full(4, -np.inf), np.append(z, np.inf)):
        refusal(lambda wrong=wrong: sampling_distribution(wrong, 1.0), "logits")


def test_the_sampler_never_draws_a_token_whose_logit_is_minus_infinity():
    assert sampling_distribution(np.array([0.0, -np.inf, 0.0]), 1.0).tolist() == [0.5, 0, 0.5]


# --- measurements ----------------------------------------------------------------------------------------------------


@pytest.fixture
def log_probs(theta, config, sequences):
    def call(theta=theta, config=config, sequences=sequences):
        return evaluate.log_probs(theta, config, sequences)

    return call


def odd(ids=(1, 2, 3, 4), is_y=(False, False, True, True)):
    return [Sequence(np.array(ids), np.array(is_y), "data.jsonl:1")]


def test_log_pr_of_masks_of_0_and_1_is_refused(log_probs):
    refusal(lambda: log_probs(sequences=odd(is_y=(0, 0, 1, 1))), "data.jsonl:1: is_y")


@pytest.mark.parametrize("ids", [(1, 2, 3, -100), (-1, 2, 3, 4), (1, 2, 3, 17), (17, 2, 3, 4)])
def test_log_pr_of_ids_outside_the_vocabulary_is_refused(log_probs, ids):
    refusal(lambda: log_probs(sequences=odd(ids)), "expected numbers from 0")


def test_log_pr_of_no_sequences_is_refused(log_probs):
    refusal(lambda: log_probs(sequences=[]), "sequences", "at least one")


def test_log_pr_beyond_the_context_is_refused_however_the_sequence_is_read(log_probs, monkeypatch):
    for rows in (4096, 5):  # in one forward, and piece by piece with what was remembered
        monkeypatch.setattr(evaluate, "ROWS", rows)
        refusal(lambda: log_probs(sequences=random_sequences(lengths=(18,))), "at most 16", 17)


@pytest.mark.parametrize("changes", FOREIGN, ids=str)
def test_log_pr_under_the_config_of_another_model_is_refused(log_probs, config, changes):
    refusal(lambda: log_probs(config=replace(config, **changes)), "theta", "shape of")


def test_log_pr_under_complex_parameters_is_refused(log_probs, theta):
    refusal(lambda: log_probs(theta=theta.astype(complex)), "theta", "real")


@pytest.fixture(scope="module")
def chat():
    """(θ, config, tokenizer, examples, sequences) of a random model and two conversations."""
    tokenizer = Tokenizer.train(TEXTS, 400)
    config = ModelConfig(tokenizer.vocab_size, 8, 12, 1, 2, 1)
    examples = [data.example(CHAT, f"data.jsonl:{line}") for line in (1, 2)]
    return random_theta(config), config, tokenizer, examples, [data.encode(e, tokenizer) for e in examples]


def test_an_evaluation_in_which_nothing_counts_is_refused_and_no_nan_is_printed(chat):
    *model, _, sequences = chat
    nothing = [Sequence(s.ids, np.zeros(len(s.ids), bool), s.where) for s in sequences]
    refusal(lambda: evaluate.evaluate(*model, [], nothing, TrainConfig()), "sequences", "nothing to evaluate")
    joint, _ = evaluate.evaluate(*model, [], nothing, TrainConfig(prompt_loss_weight=1.0))
    assert np.isfinite(joint["mean_token_accuracy"])


def test_the_largest_lambda_still_gives_a_finite_loss(chat):
    *model, _, sequences = chat
    for reduction in ("sum", "token_mean", "sequence_mean"):
        settings = TrainConfig(prompt_loss_weight=1000, loss_reduction=reduction)
        assert np.isfinite(evaluate.evaluate(*model, [], sequences, settings)[0]["loss"])


def test_an_evaluation_refuses_sequences_that_are_not_those_of_its_examples(chat):
    """Answers would be asked of one example, and log Pr written beside them from another."""
    *model, examples, sequences = chat
    for wrong in (sequences[::-1], sequences * 2, [sequences[0]._replace(where="other.jsonl:1")]):
        refusal(lambda wrong=wrong: evaluate.evaluate(*model, examples, wrong, TrainConfig(), 1), "sequences")
    assert evaluate.evaluate(*model, examples, sequences[1:], TrainConfig(), 1)[1][0]["index"] == 1  # one was dropped


def test_a_token_report_of_masks_of_0_and_1_or_of_nothing_is_refused(chat):
    theta, config, tokenizer, _, (sequence, _) = chat
    for wrong in ([sequence._replace(is_y=sequence.is_y.astype(int))], []):
        refusal(lambda wrong=wrong: evaluate.token_report(theta, config, tokenizer, wrong, TrainConfig()))


# --- the way from θ̂ to θ̃ ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [NAN, np.inf, 0.5j, np.array([0.5]), None, "0.5"], ids=str)
def test_a_point_of_the_line_needs_one_finite_number(theta, alpha):
    refusal(lambda: trajectory.line(theta, theta, alpha), "alpha")


def test_distances_of_complex_parameters_are_refused_not_taken_of_their_real_parts(theta):
    for call in (trajectory.distances, trajectory.relative_distances, lambda a, b: trajectory.line(a, b, 0.5)):
        for pair in ((theta.astype(complex), theta), (theta, theta.astype(complex))):
            refusal(lambda call=call, pair=pair: call(*pair), "theta", "real")


def test_distances_of_bare_vectors_are_refused(theta):
    for pair in ((theta.flat, theta), (theta, theta.flat)):
        refusal(lambda pair=pair: trajectory.distances(*pair), "theta")


@pytest.fixture
def path(theta):
    rng = RNG(1)
    return [theta.flat + rng.standard_normal(theta.flat.size) for _ in range(3)]


@pytest.mark.parametrize("wrong", [NAN, np.inf, 1j])
def test_a_path_with_a_vector_that_is_not_real_and_finite_is_refused_by_its_number(theta, path, wrong):
    refusal(lambda: trajectory.plane(theta, [path[0], path[1] * wrong, path[2]]), "vector 1", "real and finite")


def test_a_path_that_is_empty_or_made_of_parameters_or_of_one_vector_is_refused(theta, path):
    for wrong in ([], [theta, theta], path[0]):
        refusal(lambda wrong=wrong: trajectory.plane(theta, wrong), "path")


def test_a_path_may_be_a_matrix_of_vectors(theta, path):
    assert trajectory.plane(theta, np.stack(path)).fraction == trajectory.plane(theta, path).fraction


def test_a_point_of_the_plane_needs_two_finite_numbers(theta, path):
    plane = trajectory.plane(theta, path)
    for a, b, name in ((NAN, 0.0, "a:"), (0.0, np.inf, "b:"), (theta.flat, 0.0, "a:")):
        refusal(lambda a=a, b=b: plane.at(a, b), name)


def test_the_kl_refuses_what_its_two_models_cannot_read(theta, config):
    def kl(sequences, config=config, theta=theta):
        return trajectory.kl(theta, theta, config, sequences)

    refusal(lambda: kl(odd(), replace(config, num_hidden_layers=3)), "theta", "shape of")
    refusal(lambda: kl(odd(ids=(1, 2, 3, 17))), "0 to 16", 17)
    refusal(lambda: kl(odd(is_y=(0, 0, 1, 1))), "is_y")
    refusal(lambda: kl(random_sequences(lengths=(18,))), "at most 16")
    refusal(lambda: kl(odd(), theta=theta.astype(complex)), "real")


def test_the_kl_of_a_model_that_diverged_is_refused_and_is_no_nan(theta, config):
    broken = theta.copy()
    broken.model.norm.weight[0] = NAN
    for pair in ((broken, theta), (theta, broken)):
        refusal(lambda pair=pair: trajectory.kl(*pair, config, odd()), "not finite")


def test_the_kl_reads_a_generator_of_sequences_to_its_end(theta, config, sequences):
    other = random_theta(tiny_config(), seed=1)
    every = trajectory.kl(theta, other, config, sequences)
    assert trajectory.kl(theta, other, config, iter(sequences)) == every
