"""What notebook 03 measures around its formulas: time, padding, who reads whom, seams, and whether a model stops."""

import time
from dataclasses import replace

import numpy as np

from minisft import data, evaluate, model, train
from minisft.config import TrainConfig
from minisft.course.concatenated_sequences.by_position import value_and_gradient
from minisft.course.display import Markdown, table


def distance(a, b):
    """The largest difference, relative to the largest entry of b."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def timed(theta, config, batch, every_row):
    """J, ∇J and the median CPU seconds of five forwards and backwards."""
    seconds = []
    for _ in range(5):
        began = time.process_time()
        result = value_and_gradient(theta, config, batch, every_row)
        seconds.append(time.process_time() - began)
    return *result, np.median(seconds)


def fraction_of_the_head(theta, config, vocabulary):
    """The fraction of a row's multiplications in the forward that are the head's, if the vocabulary had this size."""
    in_blocks = sum(view.size for name, view in theta.named.items() if "layers" in name)  # one multiplication each
    return vocabulary * config.hidden_size / (vocabulary * config.hidden_size + in_blocks)


def padding(sequences, size=16):
    """How much of padded batches would be padding, in % of their rows, in the order of training."""
    order = train.order(len(sequences), TrainConfig(seed=0), epoch=0)
    lengths = np.array([len(sequences[i].ids) - 1 for i in order])
    batches = [lengths[first : first + size] for first in range(0, len(lengths), size)]
    return 100 * (1 - lengths.sum() / sum(len(batch) * batch.max() for batch in batches))


def rows_that_count(data_sets) -> Markdown:
    """A row for each data set: rows per pair, and how many of them predict a token of y."""
    rows = []
    for name, sequences in data_sets.items():
        lengths, counting = zip(*((len(s.ids) - 1, s.is_y[1:].sum()) for s in sequences))
        fraction = f"{100 * sum(counting) / sum(lengths):.0f} %"
        rows.append([name, float(np.mean(lengths)), float(np.mean(counting)), fraction])
    return table(["data", "rows per pair", "of them predict a token of y", "fraction"], rows)


def reading(theta, config, batch, starts, block=1):
    """The attention probabilities of the first head of a block, (N, N), for a batch with these starts."""
    N, R = len(batch.ids), config.num_attention_heads // config.num_key_value_heads
    _, cache = model.forward(theta, config, batch.ids, starts, np.arange(N))
    found, attention = np.zeros((N, N)), cache.blocks[block].attention
    for part, P in zip(attention.parts, attention.P):
        rows = slice(part.queries.start // R, part.queries.stop // R)
        found[rows, part.keys.start : part.keys.start + part.T] = P[0, 0, ::R]  # of its R heads that share keys
    return found


def log_probs_from(theta, config, batch, row, ids=None, starts=None):
    """log Pr of every row from `row` on, with other ids or other starts if they are given."""
    changed = replace(batch, ids=batch.ids if ids is None else ids, starts=batch.starts if starts is None else starts)
    return evaluate.token_log_probs(theta, config, changed)[0][row:]


def seams(tokenizer, texts):
    """{kind of place: [do the ids stay the same if a text is cut there?]}."""
    kinds: dict[str, list[bool]] = {"before a space": [], "after a space": [], "inside a word": []}
    for text in texts:
        whole = tokenizer.encode(text)
        for at in range(1, len(text)):
            kind = "before a space" if text[at] == " " else "after a space" if text[at - 1] == " " else "inside a word"
            kinds[kind].append(tokenizer.encode(text[:at]) + tokenizer.encode(text[at:]) == whole)
    return kinds


def log_pr_of_end(theta, config, sequences):
    """The mean of log Pr(end token | x, y before it) over these sequences, in nats."""
    scored = evaluate.log_probs(theta, config, sequences)
    return float(np.mean([values[s.is_y[1:]][-1] for s, (values, _) in zip(sequences, scored)]))


def stopping(theta, config, tokenizer, examples):
    """(stop rate, exact match, how often the end token is the likeliest after y: three %, and the first answer)."""
    replies = evaluate.answers(theta, config, tokenizer, examples, max_new_tokens=40)
    sequences = [data.encode(example, tokenizer) for example in examples]
    scored = evaluate.log_probs(theta, config, sequences)
    likeliest = [hits[s.is_y[1:]][-1] for s, (_, hits) in zip(sequences, scored)]
    parts = ([reply["stopped"] for reply in replies], [reply["exact"] for reply in replies], likeliest)
    return *(100 * float(np.mean(part)) for part in parts), replies[0]["predicted"]
