# %% labels
# 1. Padding cannot be told by its id, since the end token has the same. What tells it?
# 2. label = id where the mask is True, −100 everywhere else, and in the padding
# 3. longest = max(len(ids) for ids, mask in sequences)
import numpy as np


def labels(sequences, pad):
    """The labels of a batch padded on the right: the id of each token of y, −100 everywhere else."""
    result = np.full((len(sequences), max(len(ids) for ids, mask in sequences)), -100)
    for row, (ids, mask) in enumerate(sequences):
        result[row, : len(ids)] = np.where(mask, ids, -100)  # by position: what is behind the last token stays −100
    return result
