"""What notebook 00 asks of a model and how it shows the answers: the plumbing of its tables."""

import numpy as np

from minisft import data, evaluate, generate, plots
from minisft.course.display import Markdown, code, table

LINKS = (" found in", " is the", " is")  # where an answer of the atlas ends and its fact begins


def x_and_y(example):
    """The question and the answer, as texts."""
    question, answer = example.completion
    return question["content"], answer["content"]


def beginning_and_fact(y):
    """The beginning of an answer, and the fact that it ends with: "The capital of Peru is", " Lima."."""
    link = next(words for words in LINKS if words in y)
    begin, fact = y.split(link)
    return begin + link, fact


def continuations(theta, config, tokenizer, beginnings, max_new_tokens=16):
    """What the model writes after each of these texts, greedily."""
    prompts = [tokenizer.encode(text) for text in beginnings]
    answers = generate.generate(theta, config, prompts, max_new_tokens, {tokenizer.eos_id})
    return [tokenizer.decode(answer.ids) for answer in answers]


def ask(theta, config, tokenizer, examples):
    """Exact match and stop rate of the model's own answers, two fractions from 0 to 1."""
    replies = evaluate.answers(theta, config, tokenizer, examples, max_new_tokens=48)
    return tuple(float(np.mean([reply[key] for reply in replies])) for key in ("exact", "stopped"))


def ended_by(theta, config, tokenizer, examples, mark):
    """The fraction of answers that this token ends, when it alone may do so."""
    questions = [data.question(example, tokenizer)[0] for example in examples]
    return np.mean([answer.stopped for answer in generate.generate(theta, config, questions, 48, {mark})])


def token_table(tokens) -> Markdown:
    """One row for each token of a token report: is it of x or y, its weight, its log Pr."""
    rows = []
    for token in tokens:
        text = code(plots.visible(token["text"], 20))
        part, weight = "y" if token["is_target"] else "x", int(token["weight"])
        log_prob = "given" if token["log_prob"] is None else f"{token['log_prob']:.2f}"
        rows.append([token["position"], text, part, weight, log_prob])
    return table(["position", "token", "part of", "w", "log Pr (nats)"], rows)


def score_table(scores, replies, question) -> Markdown:
    """One row for each step t: scores {t: [(exact, stopped) of each seed]}, replies {t: what seed 0 writes}."""
    rows = []
    for t, of_seeds in scores.items():
        exact, stopped = zip(*of_seeds)
        by_seed = ", ".join(f"{value:.0%}" for value in exact)
        rows.append([t, f"{np.mean(stopped):.0%}", f"{np.mean(exact):.0%}", by_seed, replies[t][:70]])
    columns = ["t", "stop rate, mean", "exact match, mean", "exact match, seeds 0, 1, 2"]
    return table([*columns, f"ŷ_t to: {question} (seed 0, cut)"], rows)
