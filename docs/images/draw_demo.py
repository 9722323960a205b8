"""Draws demo.svg anew: the demo's live view while β ramps up. `python docs/images/draw_demo.py`."""

import io
import tempfile
from pathlib import Path

from rich.console import Console

from polar_monitor.demo import run
from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.console.live import LiveConsole

WHEN = 0.86
"""Share of the run after which the view is drawn: some dimensions are lost, some are fading."""


class Camera(LiveConsole):
    """A live view that keeps what it would show."""

    def write(self, evaluation: Evaluation) -> None:
        """Remember the newest view until it is time."""
        view = self.view(evaluation)
        if self.total is not None and evaluation.step <= WHEN * self.total:
            self.newest = view


def main() -> None:
    """Train the demo, and draw."""
    plan = run.PLANS["sprites"]
    camera = Camera(plan.steps, Console(height=40, file=io.StringIO()))
    with tempfile.TemporaryDirectory() as folder:
        training = run.start(run.images("sprites"), plan, sinks=(camera,), log_dir=folder)
        training.run(lambda words: None, plan.steps)
        training.monitor.detach()
    paper = Console(record=True, width=118, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    paper.print(camera.newest)
    paper.save_svg(str(Path(__file__).with_name("demo.svg")), title="polar-monitor demo")


if __name__ == "__main__":
    main()
