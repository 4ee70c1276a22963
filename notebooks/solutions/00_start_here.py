# %% exact_match
# 1. Compare text with text, one question at a time; blanks and line breaks at the two ends do not count.
# 2. fraction = (number of equal pairs) / (number of pairs)
# 3. right = [p.strip() == e.strip() for p, e in zip(predicted, expected)]
def exact_match(predicted, expected):
    right = [p.strip() == e.strip() for p, e in zip(predicted, expected)]
    return sum(right) / len(right)
