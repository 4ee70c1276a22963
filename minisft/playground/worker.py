"""One run in a process of its own: commands come in on standard input, events go out on standard output, as JSON lines.

    python -m minisft.playground.worker NAME DIR

It makes steps while it is told to train, and measures θ_t between them at the beat of the page. Held-out questions are
put a few at a time, so that no beat waits for them. With nothing watched it does nothing but `train.train`. It ends
when standard input does: with the page, or with the server.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from minisft import checkpoint
from minisft.config import ModelConfig
from minisft.data import Example
from minisft.errors import MinisftError
from minisft.params import Params
from minisft.playground import choice, film, scripts
from minisft.playground.measure import InTurns
from minisft.playground.record import Recorder
from minisft.runs import allocator
from minisft.tokenizer import Tokenizer

REST = 0.03  # seconds of training between two measurements, at least
BEAT = 0.09  # what may pass from one update to the next before held-out questions have to wait
AT_ONCE = 6  # held-out questions in a beat
EARLIER = 3  # runs that a film of the page remembers

Event = dict[str, Any]


class Worker:
    """What one page talks to: its run, and what it watches."""

    def __init__(
        self, name: str, theta_hat: Params, config: ModelConfig, tokenizer: Tokenizer, send: Callable[[Event], None]
    ) -> None:
        self.name, self.theta_hat, self.config, self.tokenizer = name, theta_hat, config, tokenizer
        self.to_page = send
        self.wanted: dict[str, Any] = {}
        self.world = ExitStack()  # the mistake of the run, as long as it is the run of the page
        self.recorder: Recorder
        self.events: list[Event] = []
        self.earlier: list[list[Event]] = []
        self.question: Example | None = None
        self.in_turns: InTurns | None = None
        self.running, self.watching = False, True
        self.measured = 0.0  # when the last measurement ended

    def send(self, event: Event) -> None:
        self.events.append(event)
        self.to_page(event)

    def obey(self, message: Event) -> None:
        """Do what the page says; what makes no sense is answered, and changes nothing."""
        commands: dict[str, Callable[..., None]] = {
            "set": self.set,
            "train": self.train,
            "pause": self.pause,
            "step": self.step,
            "look": self.look,
            "ask": self.ask,
            "slow": self.slow,
            "watch": self.watch,
            "take": self.take,
        }
        name = str(message.pop("do", ""))
        try:
            if name not in commands:
                raise MinisftError("the page asked for something unknown; load it again")
            commands[name](**message)
        except (MinisftError, TypeError) as error:  # TypeError: arguments that the command does not have
            why = str(error) if isinstance(error, MinisftError) else "the page sent what it should not; load it again"
            self.to_page({"event": "refused", "what": name, "why": why})

    # --- commands -----------------------------------------------------------------------------------------------------

    def set(self, **wanted: Any) -> None:
        """A new run, at t = 0, with its mistake switched on if it is to have one."""
        choice.choose(wanted)  # what makes no sense is refused while the run before is as it was
        self.world.close()
        if mistake := choice.mistake_of(wanted.get("mistake", choice.NONE)):
            self.world.enter_context(mistake.on())
        recorder = Recorder(self.theta_hat, self.config, self.tokenizer, choice.choose(wanted))
        if any(event["event"] == "tokens" and event["t"] for event in self.events):
            self.earlier = [*self.earlier, self.events][-EARLIER:]
        self.recorder, self.wanted, self.running, self.in_turns, self.events = recorder, wanted, False, None, []
        self.send(recorder.begin())
        self.path()
        self.measure()
        self.all_answers()

    def train(self) -> None:
        """Go on to the last planned step."""
        run = self.recorder.run
        if run.state.step >= run.total:
            raise MinisftError(f"all {run.total} steps are made; start again, or make one step")
        self.running = True
        self.to_page({"event": "running", "t": run.state.step})

    def pause(self) -> None:
        self.running = False
        self.rest()

    def step(self) -> None:
        self.running = False
        self.advance()
        self.measure()
        self.rest()

    def look(self, t: int) -> None:
        """Go back to θ_t, of a step already made, and measure all of it."""
        self.running = False
        run = self.recorder.run
        if not isinstance(t, int) or not 0 <= t <= run.state.step:
            raise MinisftError(f"t: only the steps from 0 to {run.state.step} have been made")
        state = run.at(t)
        self.send(self.recorder.tokens(state.theta, t, state.metrics))
        self.send(self.recorder.answers(state.theta, t))
        if self.question:
            self.to_page(self.recorder.asked(state.theta, t, self.question))
        self.to_page({"event": "paused", "t": run.state.step, "look": t})

    def ask(self, question: str, expected: str = "", t: int | None = None) -> None:
        self.question = choice.asking(question, expected) if question else None
        if self.question:
            run = self.recorder.run
            state = run.state if t is None or t == run.state.step else run.at(min(t, run.state.step))
            self.to_page(self.recorder.asked(state.theta, state.step, self.question))

    def slow(self, t: int, row: int | None = None) -> None:
        made = self.recorder.run.state.step
        if not isinstance(t, int) or not 1 <= t <= made:
            raise MinisftError("no step has been made yet; make one" if not made else f"t: from 1 to {made}")
        self.send(self.recorder.slow(t, row if isinstance(row, int) else None))

    def watch(self, on: bool) -> None:
        self.watching = bool(on)

    def take(self, what: str) -> None:
        """The run to take away: a script, or a film with the slow view of every kept step."""
        if what == "film":
            for t in sorted(self.recorder.run.kept):
                if t and not any(event["event"] == "slow" and event["t"] == t for event in self.events):
                    self.events.append(self.recorder.slow(t))
            self.to_page({"event": "taken", "what": what, "text": film.html([*self.earlier, self.events]).decode()})
        elif what in ("python", "trl"):
            make = scripts.python if what == "python" else scripts.trl
            self.to_page({"event": "taken", "what": what, "text": make(self.name, self.wanted, self.recorder.run)})
        else:
            raise MinisftError("take: film, python or trl")

    # --- training -----------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        run = self.recorder.run
        run.advance()
        t = run.state.step
        if t % run.apart == 0:
            self.recorder.path.thin(run.apart)
            if self.watching:
                self.path()

    def beat(self) -> None:
        """One step, and as much measuring as the beat of the page allows. What goes wrong stops the run."""
        run = self.recorder.run
        try:
            self.advance()
            if run.state.step >= run.total:
                self.running = False
            if not self.running:
                self.rest()
            elif not self.watching:
                self.to_page({"event": "passed", "t": run.state.step, "metrics": run.state.metrics})
            elif time.perf_counter() - self.measured >= REST:
                self.measure_in_time()
        except MinisftError as error:
            self.running = False
            self.to_page({"event": "refused", "what": "train", "why": str(error)})
            self.to_page({"event": "paused", "t": run.state.step})

    def measure_in_time(self) -> None:
        last, step = self.measured, self.recorder.run.state.step
        self.measure()
        if time.perf_counter() - last < BEAT or step % 3 == 0:
            self.some_answers()
        self.measured = time.perf_counter()

    def rest(self) -> None:
        """The run stands still: measure all of θ_t."""
        run = self.recorder.run
        if not any(e["event"] == "tokens" and e["t"] == run.state.step for e in reversed(self.events)):
            self.measure()
        if self.recorder.path.steps[-1] != run.state.step:
            self.path()
        self.all_answers()
        self.to_page({"event": "paused", "t": run.state.step})

    def measure(self) -> None:
        state = self.recorder.run.state
        self.send(self.recorder.tokens(state.theta, state.step, state.metrics))
        if self.question:
            self.to_page(self.recorder.asked(state.theta, state.step, self.question))
        self.measured = time.perf_counter()

    def path(self) -> None:
        state = self.recorder.run.state
        self.recorder.path.add(state.step, state.theta)
        self.send(self.recorder.path.event())

    def all_answers(self) -> None:
        self.in_turns = None
        state = self.recorder.run.state
        if self.recorder.questions:
            self.send(self.recorder.answers(state.theta, state.step))

    def some_answers(self) -> None:
        state = self.recorder.run.state
        if self.in_turns is None and self.recorder.questions:
            self.in_turns = InTurns(state.step, state.theta, self.recorder.questions)
        if self.in_turns and (event := self.in_turns.go_on(self.config, self.tokenizer, AT_ONCE)):
            self.send(event)
            self.in_turns = None


def main(name: str, directory: str) -> None:
    """Read commands until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n", buffering=1)
    commands: queue.Queue[Event | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            commands.put(json.loads(line))
        commands.put(None)

    def send(event: Event) -> None:
        out.write(json.dumps(event) + "\n")

    threading.Thread(target=read, daemon=True).start()
    allocator.keep_freed_arrays()
    worker = Worker(name, *checkpoint.load(directory), send)
    with np.errstate(all="ignore"):
        while True:
            while not (worker.running and commands.empty()):
                if (message := commands.get()) is None:
                    return
                worker.obey(message)
            worker.beat()


if __name__ == "__main__":
    main(*sys.argv[1:])
