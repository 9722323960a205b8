"""Evaluations on the console: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import numpy as np

from ...alerts.alert import title
from ...errors import printable
from ...evaluation import Evaluation
from ..scalars import LETTERS, label_letters

if TYPE_CHECKING:
    from .live import LiveConsole


def console(total: int | None = None, *, headless: bool | None = None) -> PlainConsole | LiveConsole:
    """Return the live view if standard output is a terminal (or `headless` is False), else plain lines.

    `total` is the number of optimiser steps of the run, for the progress bar. Raises ImportError, which names the
    extra to install, if the live view lacks rich.

    Example:
        >>> from polar_monitor.sinks import console
        >>> monitor = polar_monitor.attach(model, sinks=[console(total=10_000)])  # doctest: +SKIP
    """
    if headless is None:
        headless = not sys.stdout.isatty()
    if headless:
        return PlainConsole(total)
    try:
        from .live import LiveConsole
    except ImportError as missing:
        raise ImportError('the live view needs rich: pip install "polar-monitor[console]"') from missing
    return LiveConsole(total)


class PlainConsole:
    """Prints one ASCII line for each evaluation and each alert to `stream` (None: standard output)."""

    def __init__(self, total: int | None = None, stream: TextIO | None = None) -> None:
        self.total = total
        self._stream = stream

    def say(self, words: str) -> None:
        """Print a line, such as a new phase of the training."""
        print(printable(words), file=self._stream, flush=True)

    def write(self, evaluation: Evaluation) -> None:
        """Print one evaluation."""
        self.say(plain_line(evaluation, self.total))
        for alert in evaluation.alerts:
            self.say(printable(f"  {title(alert)}: {alert.message}", keep=""))

    def flush(self) -> None:
        """Do nothing: every line is flushed."""

    def close(self) -> None:
        """Do nothing: the stream belongs to others."""


def plain_line(evaluation: Evaluation, total: int | None = None) -> str:
    """Return step, verdict, counts of labels, total information and overhead on one line."""
    goal = "" if total is None else f"/{total}"
    series = "/".join(part for part in (evaluation.name, "" if evaluation.mode == "train" else evaluation.mode) if part)
    series = printable(series, keep="")
    head = f"step {evaluation.step:>6}{goal}{f'  {series}' if series else ''}"
    s, regime = evaluation.snapshot, evaluation.regime
    if s is None or regime is None:
        return f"{head}  nothing observed"
    letters = label_letters(regime.labels)
    counts = "  ".join(f"{label} {letters.count(letter)}" for letter, label in LETTERS.items())
    total_nats = float(np.nansum(s.information))
    return f"{head}  {regime.verdict:<13}  {counts}  {total_nats:7.3f} nats  overhead {evaluation.health.overhead:.1%}"
