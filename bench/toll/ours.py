"""The monitor as it is in the long run, put on the model and taken off again: a fixed interval, no start allowance."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from torch import Tensor, nn
from torch.optim.optimizer import _global_optimizer_post_hooks as post_hooks

import polar_monitor
from polar_monitor.evaluation import Evaluation

from .loop import Loop

UNSETTLED = 4
"""Factor from one interval to the next from which on the governor is still finding the interval."""

WINDOW = 4096


class Ours:
    """The monitor, and a sink that tells which step evaluated. While it is off, torch holds no hook of ours at all."""

    def __init__(self, model: nn.Module, folder: Path) -> None:
        self.monitor = polar_monitor.attach(
            model, log_dir=folder, sinks=(self,), window=WINDOW, every=100, start_allowance=0.0
        )
        self.settled = False
        """Whether the governor has found its interval."""
        self._evaluated = False
        self._away = ExitStack()

    def write(self, evaluation: Evaluation) -> None:
        """The step that is under way evaluates."""
        self._evaluated = True

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def after(self, mean: Tensor) -> bool:
        """Whether the step just over has evaluated."""
        evaluated, self._evaluated = self._evaluated, False
        return evaluated

    def on(self) -> None:
        """Watch from here on."""
        self._away.close()

    def off(self) -> None:
        """Leave nothing on the model or in torch's optimisers."""
        self._away.enter_context(self.monitor.detached())
        hooks = dict(post_hooks)
        post_hooks.clear()
        self._away.callback(post_hooks.update, hooks)

    def settle(self, loop: Loop, seconds: float) -> list[float]:
        """Train until the governor has found its interval; the seconds of the steps that evaluated, but for the first.

        The governor lets the interval grow by a factor at most: it has found it once it grows by less.
        """
        end, every, events = perf_counter() + seconds, 0, []
        while perf_counter() < end:
            _, more = loop.run(10, self.after)
            events += more
            if more:
                before, every = every, self.monitor.health().every
                self.settled = len(events) > 1 and every < UNSETTLED * before
                if self.settled:
                    break
        return events[1:]

    def evaluate(self, loop: Loop, times: int) -> list[float]:
        """Seconds of evaluations asked for by hand, each of a full window of new rows."""
        events = []
        for _ in range(times):
            self.monitor._loop.schedule.record_all()
            loop.run(WINDOW // len(loop.batches[0]) + 1, self.after)
            begin = loop.clock()
            if self.monitor.evaluate():
                events.append(loop.clock() - begin)
            self._evaluated = False
        return events

    def recording(self, batch: int) -> float:
        """Share of the steps whose rows are recorded, at the interval that the governor has set."""
        steps = self.monitor._loop.schedule.governor.recordings or WINDOW / batch
        return min(1.0, steps / self.monitor.health().every)
