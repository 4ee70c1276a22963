"""The predictions of notebook 06: where the curve ends, the better tokenizer, and the text that can be used."""

import numpy as np

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def where_the_curve_ends(prediction, last_losses, unigram, bigram):
    """Quiz: the last loss of each seed beside the two entropies, in nats per token."""
    mean = float(np.mean(last_losses))
    names = ("above the unigram entropy", "between the two entropies", "below the bigram entropy")
    shown = ", ".join(f"{loss:.2f}" for loss in last_losses)
    happened = (
        f"The last losses are {shown} nats per token; counting tokens gives {unigram:.2f}, counting pairs {bigram:.2f}."
    )
    return settle(prediction, names, names[int(mean < unigram) + int(mean < bigram)], happened)


@quiz
def better_tokenizer(prediction, nats_a_token, nats_a_character):
    """Quiz: two times {vocabulary: loss of a bigram model on unread text}; which pays least for the text?"""
    best = min(nats_a_character, key=nats_a_character.get)
    shown = ", ".join(f"{nats_a_token[V]:.2f} and {nats_a_character[V]:.2f} (V = {V})" for V in nats_a_token)
    happened = f"Nats per token and per character: {shown}. A token of a larger vocabulary stands for more characters."
    return settle(prediction, tuple(nats_a_character), best, happened)


@quiz
def which_text(prediction, right_name):
    """Quiz: {layout: [fraction of held-out answers about the right name, one per seed]}."""
    (one, first), (other, second) = right_name.items()
    tie = max(min(first), min(second)) <= min(max(first), max(second))  # the ranges over the seeds overlap
    outcome = "no difference" if tie else one if min(first) > max(second) else other
    shown = "; ".join(
        f"{name}: {', '.join(f'{100 * part:.0f}' for part in fractions)}" for name, fractions in right_name.items()
    )
    happened = f"Answers about the country that was asked for, in %, one number per seed: {shown}."
    return settle(prediction, (one, other, "no difference"), outcome, happened)
