"""Asking θ̂ without a question: a sentence of the text is cut before its fact, and the model goes on."""

from minisft.generate import generate

FACTS = ("capital", "currency", "continent", "language")


def cut(example, countries):
    """An answer before and after the place where its fact begins: the longest value of a country that ends it."""
    question, answer = (message["content"] for message in example.completion)
    about = [country for country in countries if country["name"].removeprefix("the ") in question]
    values = [country[kind] for country in about for kind in FACTS]
    at = answer.rindex(f" {max((v for v in values if answer.endswith(f' {v}.')), key=len)}.")
    return answer[:at], answer[at:]


def continued(theta, config, tokenizer, beginnings):
    """What the model writes after each of these texts, up to the end of the line."""
    stops = {tokenizer.eos_id, tokenizer.encode("\n")[0]}
    prompts = [tokenizer.encode(text) for text in beginnings]
    return [tokenizer.decode(answer.ids) for answer in generate(theta, config, prompts, 20, stops)]


def percent_by_fact(right):
    """% right for each kind of fact, which come in turn, and for all of them."""
    groups = [right[k :: len(FACTS)] for k in range(len(FACTS))] + [right]
    return [100 * sum(group) / len(group) for group in groups]
