"""Checkpoints of the steps before the trouble: a sink that saves while all is well, and keeps what is worth it.

Fading begins before it can be told from noise, so the newest checkpoint is rarely a healthy one. A few are kept, the
farther back the wider apart, and an alert's `last_healthy_step` says which.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .alerts import Alert, AlertKind
from .arguments import whole
from .errors import PolarMonitorError
from .evaluation import Evaluation

log = logging.getLogger("polar_monitor")

BAD = frozenset(
    {AlertKind.FADING, AlertKind.LOST, AlertKind.DRAIN, AlertKind.COLLAPSE, AlertKind.NON_FINITE, AlertKind.SILENT}
)
"""Alerts after which nothing is saved for a while."""
CALM = 10
"""Evaluations without such an alert after which saving begins again."""


class KeepHealthy:
    """A sink that keeps checkpoints of healthy steps in a folder.

    Args:
        folder: Where they go, as `healthy-<step>.pt`; it is made. Files of an earlier part of the run are taken over.
        save: Gives what `torch.save` writes, such as `lambda: {"model": model.state_dict()}`. It is called in the
            training's thread, and its time is the monitor's own: choose `every` so that it is seldom.
        every: Evaluations between two checkpoints.
        keep: Most files kept.

    Raises:
        PolarMonitorError: `save` is no callable, a number below 1, or a folder that cannot be made.

    Example:
        >>> import torch, polar_monitor
        >>> from polar_monitor.healthy import KeepHealthy
        >>> model = torch.nn.Linear(2, 2)
        >>> keeper = KeepHealthy("runs/healthy", lambda: model.state_dict(), every=5)  # doctest: +SKIP
        >>> monitor = polar_monitor.attach(model, mean="", log_dir="runs", sinks=[keeper])  # doctest: +SKIP
        >>> keeper.healthy  # the file to go back to, after an alert  # doctest: +SKIP
    """

    def __init__(
        self, folder: str | os.PathLike[str], save: Callable[[], Any], *, every: int = 1, keep: int = 5
    ) -> None:
        if not callable(save):
            raise PolarMonitorError(f"save: expected a callable that gives what is saved, got {type(save).__name__}")
        self.folder = Path(folder)
        self.save = save
        self.every, self.keep = whole("every", every), whole("keep", keep)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PolarMonitorError(f"cannot make {str(self.folder)!r} ({error.strerror or error})") from error
        self.steps = sorted(int(file.stem.removeprefix("healthy-")) for file in self.folder.glob("healthy-[0-9]*.pt"))
        """Of the files kept, in order."""
        self.healthy: Path | None = None
        """The newest file that is not younger than the last healthy step of the first alert; None before it."""
        self._calm = CALM
        self._seen = 0

    def write(self, evaluation: Evaluation) -> None:
        """Save, or note an alert. Raises OSError if the disk fails, and whatever `save` raises: the monitor tells."""
        if evaluation.mode != "train" or evaluation.regime is None:
            return
        bad = [alert for alert in evaluation.alerts if alert.kind in BAD]
        if bad:
            self._calm = 0
            self._point_back(bad)
            return
        self._calm += 1
        if self._calm < CALM:
            return
        self.healthy = None
        if self._seen % self.every == 0:
            self._save(evaluation.step)
        self._seen += 1

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def file(self, step: int) -> Path:
        """The file of a step."""
        return self.folder / f"healthy-{step}.pt"

    def _point_back(self, bad: list[Alert]) -> None:
        if self.healthy is not None:
            return
        known = [alert.last_healthy_step for alert in bad if alert.last_healthy_step is not None]
        before = [step for step in self.steps if not known or step <= min(known)]
        if before:
            self.healthy = self.file(before[-1])
            log.warning("the last healthy checkpoint is %s", self.healthy)

    def _save(self, step: int) -> None:
        file = self.file(step)
        part = file.with_suffix(".part")
        torch.save(self.save(), part)
        os.replace(part, file)
        self.steps = sorted({*(one for one in self.steps if one < step), step})
        while len(self.steps) > self.keep:
            self._drop(step)

    def _drop(self, now: int) -> None:
        """Remove the file whose neighbours are nearest to each other, for its age; never the newest."""
        gaps = [
            (later - earlier) / max(now - step, 1)
            for earlier, step, later in zip(self.steps, self.steps[1:], self.steps[2:], strict=False)
        ]
        step = self.steps.pop(1 + gaps.index(min(gaps)) if gaps else 0)
        self.file(step).unlink(missing_ok=True)
