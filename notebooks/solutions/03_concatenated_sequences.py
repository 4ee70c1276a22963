# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 03_concatenated_sequences: one section an exercise.

# %% build
# 1. Write down the tokens of one conversation, and below each whether the model has to say it: the content of
#    the assistant and the end token do count.
# 2. ids = tokens[:-1], targets = tokens[1:], weights = mask[1:]
# 3. ids, mask = [], []
import numpy as np


def build(messages, encode, start, end):
    ids, mask = [], []

    def add(tokens, is_target):
        ids.extend(tokens)
        mask.extend([is_target] * len(tokens))

    for message in messages:
        role, content = message["role"], message["content"]
        if role == "assistant":
            add([start, *encode("assistant\n")], 0)
            add([*encode(content), end], 1)
        else:
            add([start, *encode(f"{role}\n{content}"), end], 0)
        add(encode("\n"), 0)
    return np.array(ids[:-1]), np.array(ids[1:]), np.array(mask[1:], dtype=float)


# %% step_weights
# 1. The divisor belongs to the whole step, not to a micro-batch.
# 2. w = m / Σ m, the sum over all parts; where nothing is trained, w = 0
# 3. total = sum(m.sum() for m in parts)
def step_weights(parts):
    total = sum(m.sum() for m in parts)
    return [m / total if total > 0 else 0 * m for m in parts]


# %% layout
# 1. Draw N = 5 for lengths [2, 3] as a square: which rows belong together, and which come later?
# 2. allowed[i, j] = (i and j are in one sequence) and j ≤ i
# 3. starts = np.cumsum([0, *lengths])
import numpy as np


def layout(lengths):
    starts = np.cumsum([0, *lengths])
    positions = np.concatenate([np.arange(n) for n in lengths])
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    row = np.arange(starts[-1])
    allowed = (sequence[:, None] == sequence[None, :]) & (row[None, :] <= row[:, None])
    return starts, positions, allowed


# %% passes
# 1. Where does each run of True end? Everything up to there is one pass, and only that run is its target.
# 2. ids_k = ids[: end_k],  mask_k = True from start_k to end_k, else False
# 3. for i in range(len(ids)):
#        ends_here = mask[i] and (i + 1 == len(ids) or not mask[i + 1])
import numpy as np


def passes(ids, mask):
    result = []
    for i in range(len(ids)):
        ends_here = mask[i] and (i + 1 == len(ids) or not mask[i + 1])
        if ends_here:
            first = i
            while first > 0 and mask[first - 1]:
                first -= 1
            only = np.zeros(i + 1, bool)
            only[first:] = True
            result.append((ids[: i + 1], only))
    return result
