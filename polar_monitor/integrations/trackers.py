"""Trackers: sinks for W&B, MLflow, trackio, Aim, Accelerate and Lightning's loggers, by the methods that they have.

All get the numbers of `polar_monitor.sinks.scalars`, and the alerts where they can show one. No package is imported.

>>> monitor = attach(model, sinks=[WandbSink(wandb.init(project="vae"))])  # doctest: +SKIP
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..alerts.alert import NOTES, format_alert, title
from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from ..sinks.scalars import Scalars


class TrackerSink:
    """Sink for an object with `log(numbers, step=…)`: an `accelerate.Accelerator`, or a run of another tracker.

    Raises PolarMonitorError for an object without that method.
    """

    method = "log"
    """Method that the tracker must have."""

    def __init__(self, tracker: Any) -> None:
        self.tracker = checked_tracker(tracker, self.method)
        self._scalars = Scalars()

    def write(self, evaluation: Evaluation) -> None:
        """Log the numbers of one evaluation, and the first alert of each event."""
        self.log(self._scalars(evaluation), evaluation.step)
        for alert in evaluation.alerts:
            if alert.kind not in NOTES and alert.amends is None:
                self.alert(f"Polar Monitor: {title(alert)}", format_alert(alert))

    def log(self, numbers: dict[str, float], step: int) -> None:
        """Log numbers under their tags."""
        self.tracker.log(numbers, step=step)

    def alert(self, title: str, text: str) -> None:
        """Show an alert, if the tracker has a method for it."""
        if callable(getattr(self.tracker, "alert", None)):
            self.tracker.alert(title=title, text=text)

    def flush(self) -> None:
        """Do nothing: a tracker has its own pace."""

    def close(self) -> None:
        """Do nothing: the run is the user's."""


class TrackioSink(TrackerSink):
    """Sink for trackio: the module `trackio` after `trackio.init(…)`, or the run that it returns."""


class WandbSink(TrackerSink):
    """Sink for W&B: the module `wandb`, whose run may begin later, or a run.

    The numbers become part of the row that the loop logs next, with "polar/step" as their axis, so that the steps of
    the loop's own logging stay as they are. A row of ours of its own is made where the loop logs none in between.
    """

    _run: Any = None
    _step = -1

    def log(self, numbers: dict[str, float], step: int) -> None:
        """Add the numbers to the present row of the run."""
        run = self.tracker.run if inspect.ismodule(self.tracker) else self.tracker
        if run is None:
            raise PolarMonitorError("WandbSink: expected a run, got none: call wandb.init(…) before the training")
        if run is not self._run:
            self._run, self._step = run, -1
            for tags in ("polar/*", "polar_dims/*"):
                run.define_metric(tags, step_metric="polar/step")
        if run.step == self._step:
            run.log({}, commit=True)
        run.log({**numbers, "polar/step": step}, commit=False)
        self._step = run.step

    def alert(self, title: str, text: str) -> None:
        """Send an alert."""
        self._run.alert(title=title[:63], text=text, level="WARN")


class MlflowSink(TrackerSink):
    """Sink for MLflow: the module `mlflow` with an active run, to which the numbers go from then on."""

    method = "log_metrics"

    def __init__(self, tracker: Any) -> None:
        super().__init__(tracker)
        run = tracker.active_run()
        if run is None:
            raise PolarMonitorError("MlflowSink: expected an active run, got none: write it inside mlflow.start_run()")
        self.run_id = run.info.run_id

    def log(self, numbers: dict[str, float], step: int) -> None:
        """Log numbers to the run that was active at first."""
        self.tracker.log_metrics(numbers, step=step, run_id=self.run_id)


class AimSink(TrackerSink):
    """Sink for a run of Aim, `aim.Run()`."""

    method = "track"

    def log(self, numbers: dict[str, float], step: int) -> None:
        """Track each number."""
        for tag, number in numbers.items():
            self.tracker.track(number, name=tag, step=step)


class LoggerSink(TrackerSink):
    """Sink for all loggers of a Lightning trainer."""

    def __init__(self, loggers: Sequence[Any]) -> None:
        self.loggers = tuple(checked_tracker(logger, "log_metrics") for logger in loggers)
        self._scalars = Scalars()

    def log(self, numbers: dict[str, float], step: int) -> None:
        """Log numbers to each logger; some take entries out of the dict that they get."""
        for logger in self.loggers:
            logger.log_metrics(dict(numbers), step=step)

    def alert(self, title: str, text: str) -> None:
        """Do nothing: loggers show numbers only."""


def checked_tracker(tracker: Any, method: str) -> Any:
    """Return the same object. Raises PolarMonitorError if it lacks the method."""
    if not callable(getattr(tracker, method, None)):
        raise PolarMonitorError(f"expected an object with a method {method}(…), got {type(tracker).__name__}")
    return tracker
