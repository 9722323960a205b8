"""Evaluations on the console: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from ...alerts.alert import title
from ...errors import printable
from ...evaluation import Evaluation
from .plain_line import plain_line

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
        raise ImportError("the live view needs rich: pip install rich") from missing
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
