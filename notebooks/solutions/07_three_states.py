# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 07_three_states: one section an exercise.

# %% flip_step
import numpy as np


def flip_step(right):
    right_to_the_end = np.cumprod(right[::-1], axis=0)[::-1]  # 1 at step t if right at t and ever after
    return len(right) - right_to_the_end.sum(axis=0)


# %% divergence
import numpy as np


def divergence(log_pi, log_pi_hat):
    of_each_row = (np.exp(log_pi) * (log_pi - log_pi_hat)).sum(axis=-1)
    return of_each_row.mean()


# %% identify
import numpy as np


def identify(things, log_pi, prompt):
    vectors = [letter for letter in things if things[letter].dtype.kind == "f"]
    arrays = [letter for letter in things if things[letter].dtype.kind == "i"]

    def by_whom(rows):
        """The vector that would have given these answers itself, if there is one."""
        for letter in vectors:
            if (log_pi(things[letter], rows).argmax(-1) == rows[:, prompt:]).all():
                return letter

    replies = next(letter for letter in arrays if by_whom(things[letter]))
    data = next(letter for letter in arrays if letter != replies)

    def J(letter):
        y = things[data][:, prompt:, None]
        return np.take_along_axis(log_pi(things[letter], things[data]), y, -1).sum()

    low, middle, high = sorted(vectors, key=J)
    return {low: "θ̂", middle: "θ_t", high: "θ̃", data: "D", replies: "ŷ"}


# %% climb
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
