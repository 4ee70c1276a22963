"""What the tests of notebook 08 share: measured winners, the exercises, and how a wrong answer is told."""

from minisft.course import conditional_versus_joint as check

HIGH, LOW = [0.7, 0.8, 0.75], [0.1, 0.2, 0.1]
MEASURED = [
    ("atlas", 1.6, False, {"conditional": HIGH, "joint": LOW}),
    ("idle", 2.6, False, {"conditional": HIGH, "joint": LOW}),
    ("open", 2.6, False, {"conditional": HIGH, "joint": [0.3, 0.9, 0.2]}),  # not decided
    ("closed", 2.6, True, {"conditional": [0, 0, 0], "joint": HIGH}),
]
EXERCISES = {
    "two_gradients": check.two_gradients,
    "completion_share": check.completion_share,
    "weigh": check.weigh,
    "predict_winner": lambda answer, seed=None: check.predict_winner(answer, MEASURED, seed),
    "my_objective": check.my_objective,
}


def wrong(name, answer, words):
    for seed in (0, 1):
        verdict = EXERCISES[name](answer, seed)
        assert verdict.right is False and words in verdict.text, verdict
