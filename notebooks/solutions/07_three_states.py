# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 07_three_states: one section an exercise.

# %% flip_step
# 1. An answer that turns right and wrong again has not flipped yet. Read the column from its end.
# 2. flip = the first t from which on all are right; the number of looks if there is none
# 3. right_to_the_end = np.cumprod(right[::-1], axis=0)[::-1]
import numpy as np


def flip_step(right):
    right_to_the_end = np.cumprod(right[::-1], axis=0)[::-1]  # 1 at step t if right at t and ever after
    return len(right) - right_to_the_end.sum(axis=0)


# %% divergence
# 1. Weighted by which of the two models? By the one in motion. A sum over the vocabulary, a mean over the rows.
# 2. KL(π ‖ π̂) = Σ_j π(j) (log π(j) − log π̂(j))
# 3. pi = np.exp(log_pi)
import numpy as np


def divergence(log_pi, log_pi_hat):
    of_each_row = (np.exp(log_pi) * (log_pi - log_pi_hat)).sum(axis=-1)
    return of_each_row.mean()


# %% identify
# 1. Vectors are float, tokens are int. Which of the three vectors lies between the two others?
# 2. ‖θ̃ − θ̂‖ is the largest of the three distances;  J(θ̂) < J(θ̃) on D;  ŷ = argmax of log_pi under θ_t, at each place
# 3. vectors = [letter for letter in things if things[letter].dtype.kind == "f"]
import numpy as np


def identify(things, log_pi, prompt):
    vectors = [letter for letter in things if things[letter].dtype.kind == "f"]
    tokens = [letter for letter in things if things[letter].dtype.kind == "i"]

    def between(letter):
        """How far apart the two others are."""
        one, other = (things[k] for k in vectors if k != letter)
        return np.linalg.norm(one - other)

    def own(rows):
        """How many of these tokens θ_t would have given itself."""
        return (log_pi(things[moving], rows).argmax(-1) == rows[:, prompt:]).mean()

    def J(letter):
        y = things[data][:, prompt:, None]
        return np.take_along_axis(log_pi(things[letter], things[data]), y, -1).sum()

    moving = max(vectors, key=between)
    data, replies = sorted(tokens, key=lambda letter: own(things[letter]))
    hat, tilde = sorted((k for k in vectors if k != moving), key=J)
    return {hat: "θ̂", moving: "θ_t", tilde: "θ̃", data: "D", replies: "ŷ"}


# %% climb
# 1. Three names, three things. What is changed in place must be copied before it is kept.
# 2. θ_{t+1} = θ_t + rate ∇J(θ_t);  path and values have T + 1 entries, the first at θ̂
# 3. theta = theta_hat.copy()
def climb(theta_hat, J, gradient, rate, T):
    theta = theta_hat.copy()
    path, values = [theta.copy()], [J(theta)]
    for _ in range(T):
        theta += rate * gradient(theta)
        path.append(theta.copy())
        values.append(J(theta))
    theta_tilde = theta
    return theta_tilde, path, values


# %% stop_and_go
# 1. What does the next step read? θ, the moments of AdamW, how many updates there were, and the number of the step.
# 2. saved = copies of all that the run will still change
# 3. state = train.start(saved["theta"], settings)
from minisft import train


def save(state):
    return {
        "theta": state.theta.copy(),
        "moments": {name: vector.copy() for name, vector in state.optimizer.moments.items()},
        "updates": state.optimizer.updates,
        "step": state.step,
        "num_tokens": state.num_tokens,
    }


def go_on(saved, config, sequences, settings):
    state = train.start(saved["theta"], settings)
    state.optimizer.moments = saved["moments"]
    state.optimizer.updates = saved["updates"]
    state.step, state.num_tokens = saved["step"], saved["num_tokens"]
    for _ in train.train(state, config, sequences, settings):
        pass  # in place
    return state
