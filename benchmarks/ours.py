"""minisft's side: what `minisft sft` and `minisft generate` run, called the same way."""

import numpy as np
from safetensors.numpy import load_file

from benchmarks.sizes import Size
from minisft import model, parallel, train
from minisft.config import TrainConfig
from minisft.data import collate
from minisft.generate import decode
from minisft.optim import AdamW
from minisft.params import Params
from minisft.runs import allocator


class Ours:
    def __init__(self, size: Size, checkpoint: str, threads: int):
        allocator.keep_freed_arrays()
        self.ranks = parallel.join()
        self.rank = self.ranks.rank
        self.config = size.config
        self.theta = Params(model.shapes(self.config))
        for name, tensor in load_file(checkpoint).items():
            self.theta.named[name][...] = tensor
        self.settings = TrainConfig(learning_rate=1e-4, weight_decay=0.0, max_grad_norm=1.0, batch_size=size.sequences)

    def prepare(self, sequences):
        self.batch = collate(sequences, 0.0, "token_mean", np.float32)
        self.moving, self.grad = self.theta.copy(), self.theta.like()
        self.optimizer = AdamW(self.moving, self.settings)

    def gradient(self):
        """The loss and {name: gradient}."""
        grad = self.theta.like()
        J, _ = train.value_and_grad(self.theta, grad, self.config, self.batch, dJ=-1.0)
        return -float(J), grad.named

    def step(self):
        train.step(self.moving, self.grad, self.optimizer, self.batch, self.config, self.settings, 1e-4, self.ranks)

    def answer(self, prompts, new):
        """Greedy tokens, `new` for each prompt."""
        steps = decode(self.theta, self.config, prompts, new, stop_ids=())
        return np.array([[token for _, token in step] for step in steps]).T

    def product(self, rows, inputs, outputs):
        """A function that makes one product of these sizes."""
        rng = np.random.default_rng(0)
        x, W = (rng.standard_normal(shape, dtype=np.float32) for shape in ((rows, inputs), (outputs, inputs)))
        out = np.empty((rows, outputs), np.float32)
        return lambda: np.matmul(x, W.T, out=out)

    def kernel(self):
        from threadpoolctl import threadpool_info

        return ", ".join(f"{found['internal_api']} {found.get('architecture', '')}" for found in threadpool_info())
