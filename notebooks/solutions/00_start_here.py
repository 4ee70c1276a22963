# %% exact_match
def exact_match(predicted, expected):
    right = [p.strip() == e.strip() for p, e in zip(predicted, expected)]
    return sum(right) / len(right)
