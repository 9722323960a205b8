"""The demo's live view while β ramps up, as SVG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.console.live import LiveConsole

WHEN = 0.8
"""Share of the run after which the view is drawn: some dimensions are lost, some are fading."""
WIDTH = 118


class Camera(LiveConsole):
    """A live view that keeps what it would show at one moment of a run of so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps, Console(width=WIDTH, height=40, file=io.StringIO()))
        self.newest: Any = None

    def write(self, evaluation: Evaluation) -> None:
        """Remember the newest view until it is time."""
        view = self.view(evaluation)
        if self.total is not None and evaluation.step <= WHEN * self.total:
            self.newest = view

    def save(self, path: Path) -> None:
        """Draw the view that is kept."""
        paper = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        paper.print(self.newest)
        paper.save_svg(str(path), title="polar-monitor demo")
