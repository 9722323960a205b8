"""Sinks write evaluations: to TensorBoard, a JSONL log, the console, or with a sink of your own anywhere else.

A sink has `write`, `flush` and `close` (`Sink`), and may have `resume` (`ResumableSink`) and `begin` (`SetupSink`). It
may raise: the monitor logs the failure once, drops the record, counts it and trains on. `scalars` gives the numbers of
an evaluation under the tags that all trackers show, so a sink for another tracker is short:

>>> import numpy as np
>>> from polar_monitor import PolarMonitor
>>> from polar_monitor.sinks.scalars import Scalars
>>> class PrintActive:
...     def __init__(self):
...         self.scalars = Scalars()
...     def write(self, evaluation):
...         for tag, number in self.scalars(evaluation).items():
...             if tag == "polar/active":
...                 print(tag, "at step", evaluation.step, "is", number)
...     def flush(self): ...
...     def close(self): ...
>>> monitor = PolarMonitor(every=1, sinks=[PrintActive()])
>>> monitor.observe(np.random.default_rng(0).normal(size=(512, 2)), var=np.full((512, 2), 0.1))
>>> monitor.step()
polar/active at step 1 is 2
>>> monitor.detach()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..evaluation import Evaluation


class Sink(Protocol):
    """Place to write evaluations to."""

    def write(self, evaluation: Evaluation) -> None:
        """Write one evaluation. The training waits for it, so it must be quick."""

    def flush(self) -> None:
        """Make all written evaluations readable by others."""

    def close(self) -> None:
        """Flush, and release files and connections. A second call does nothing."""


class ResumableSink(Sink, Protocol):
    """Sink that hides or removes later evaluations when a run goes back to a step. The method is optional."""

    def resume(self, step: int) -> None:
        """Hide the evaluations after `step`: `load_state_dict` has set the run back to it."""


class SetupSink(Sink, Protocol):
    """Sink that keeps the settings of a run beside its evaluations. The method is optional."""

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        """Keep the settings that the alerts of the latent `name` depend on, as plain data. Comes before any `write`."""


# At the end, so that the function replaces the folder of the same name: `from polar_monitor.sinks import console`.
from .console import console as console  # noqa: E402
from .jsonl import JsonlSink as JsonlSink  # noqa: E402
from .jsonl import read_jsonl as read_jsonl  # noqa: E402
from .tensorboard import TensorBoardSink as TensorBoardSink  # noqa: E402

__all__ = ["JsonlSink", "ResumableSink", "SetupSink", "Sink", "TensorBoardSink", "console", "read_jsonl"]
