"""All sinks of a monitor together. A failing sink harms neither the training nor the other sinks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import WarnOnce, describe, log_line
from ..evaluation import Evaluation
from . import Sink
from .jsonl import JsonlSink

MAX_FAILURES = 5
"""Evaluations in a row that a sink may fail to write; after them it gets no more."""


class SinkGroup:
    """Calls every sink. The first failure of each kind is logged; each evaluation that is not written is counted."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks = tuple(sinks)
        self.drops = 0
        self.errors = 0
        """Exceptions that sinks have raised."""
        self.last_error = ""
        self.strict = False
        self.reused = False
        """True if a log held an earlier run that this one does not continue."""
        self.incomplete = False
        """True if a log lacks evaluations of this run."""
        self.before_write: Callable[[], None] | None = None
        """Called before each evaluation is written: it may replace the sinks."""
        self._failures: dict[int, int] = {}
        """Failures in a row of each sink."""
        self._once = WarnOnce()

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        """Give the settings of the latent `name` to the sinks that have `begin`."""
        self._call_optional("begin", name, setup)

    def write(self, evaluation: Evaluation) -> None:
        """Give an evaluation to every sink that has not failed too often."""
        self._prepare()
        for number, sink in enumerate(self.sinks):
            failures = self._failures.get(number, 0)
            if failures >= MAX_FAILURES:
                self.drops += 1
            elif self._guard(number, sink, "write", evaluation, effect="this evaluation is dropped"):
                self._failures[number] = 0
                self._look_at_log(sink, number)
            else:
                self.drops += 1
                self.incomplete = self.incomplete or isinstance(sink, JsonlSink)
                self._failures[number] = failures + 1
                if failures + 1 == MAX_FAILURES:
                    log_line(
                        logging.ERROR,
                        "%s is disabled: it failed %d times in a row; its records are dropped",
                        type(sink).__name__,
                        MAX_FAILURES,
                    )

    def _look_at_log(self, sink: Sink, number: int) -> None:
        """Note that a log has an earlier run, or has lost records of this one."""
        if isinstance(sink, JsonlSink):
            self.reused = self.reused or sink.reused
            if sink.loss and self._once((number, "loss")):
                self.incomplete, self.errors, self.last_error = True, self.errors + 1, sink.loss

    def _prepare(self) -> None:
        try:
            if self.before_write is not None:
                self.before_write()
        except Exception as failure:
            if self.strict:
                raise
            self.errors, self.last_error = self.errors + 1, describe(failure)
            if self._once(("prepare", type(failure).__name__)):
                log_line(logging.ERROR, "the sinks could not be prepared (%s)", self.last_error)

    def flush(self) -> None:
        """Flush every sink."""
        for number, sink in enumerate(self.sinks):
            self._guard(number, sink, "flush")

    def close(self) -> None:
        """Close every sink."""
        for number, sink in enumerate(self.sinks):
            if self._guard(number, sink, "close"):
                self._look_at_log(sink, number)

    def resume(self, step: int) -> None:
        """Call `resume` of the sinks that have it: the run goes on after `step`."""
        self._call_optional("resume", step)

    def _call_optional(self, method: str, *arguments: Any) -> None:
        for number, sink in enumerate(self.sinks):
            self._guard(number, sink, method, *arguments, optional=True)

    def _guard(
        self,
        number: int,
        sink: Sink,
        method: str,
        *arguments: Any,
        effect: str = "training is not affected",
        optional: bool = False,
    ) -> bool:
        """Call a method of a sink; return True if it did not fail. Even the look-up of a method may raise."""
        try:
            call = getattr(sink, method, None) if optional else getattr(sink, method)
            if call is not None:
                call(*arguments)
        except Exception as failure:
            if self.strict:
                raise
            cause, name = describe(failure), type(sink).__name__
            self.errors, self.last_error = self.errors + 1, f"{name}: {cause}"
            if self._once((number, type(failure).__name__)):
                log_line(logging.ERROR, "%s failed (%s); %s", name, cause, effect)
            return False
        return True
