"""Checkpoints of healthy steps: fading begins before it differs from noise, so the newest one is rarely healthy."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ._validation import checked_count
from .alerts.alert import NOTES, Alert, AlertKind
from .errors import PolarMonitorError, log_line, warn
from .evaluation import Evaluation
from .regime.regime import Verdict

QUIET = {AlertKind.REVIVED, AlertKind.VARIANCE_COLLAPSE, AlertKind.FAR_FROM_PRIOR, AlertKind.CUSTOM} | NOTES
PAUSING = frozenset(AlertKind) - QUIET
"""Alerts that pause saving."""
RECOVERED_SHARE, RECOVERED_EVALUATIONS = 0.9, 3
"""Share of the information before a FADING or DRAIN that a recovery needs, in so many evaluations in a row."""
FILE_NAME = re.compile(r"healthy-(0|[1-9][0-9]{0,17})\.pt")


class KeepHealthy:
    """Sink that keeps checkpoints of healthy steps in a folder, as `healthy-<step>.pt`.

    An alert (but for REVIVED, VARIANCE_COLLAPSE, FAR_FROM_PRIOR and CUSTOM) pauses saving and makes `healthy` the
    newest file that is not later than the alert's last healthy step. Saving goes on once each dimension with an alert
    is in use again in three evaluations in a row (after FADING and DRAIN with nine tenths of the information from
    before), after `clear()` or when the run goes back to before the alert. A model that has collapsed, is silent or
    gives NaN is never saved.
    `healthy` is never removed to make room; a new process does not know it, nor the alerts of the one before.

    `monitor.load_state_dict`, called before the training goes on, removes the files of later steps. A run that starts
    again without it is another run: the earlier files become `healthy-<step>.pt.old`. Other files are left alone.
    Several monitors and modes may share one keeper: it saves only when each of them is healthy. The monitors have
    different names and count the same steps.

    Args:
        folder: Folder of the files; it is made. Raises PolarMonitorError if it cannot be made or read.
        save: Returns what `torch.save` writes, such as `lambda: {"model": model.state_dict()}`. It runs in the
            training's thread and counts as the monitor's own time: choose `every` so that it is rare.
        every: Evaluations between two checkpoints, counted in training or in the only mode.
        keep: Number of files kept beside `healthy`: the farther back, the wider apart.
    """

    def __init__(self, folder: str | PathLike[str], save: Callable[[], Any], *, every: int = 1, keep: int = 5) -> None:
        if not callable(save):
            raise PolarMonitorError(f"save: expected a callable that returns what to save, got {save!r}")
        self.save, self.folder = save, Path(folder)
        self.every, self.keep = checked_count("every", every), checked_count("keep", keep)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = [FILE_NAME.fullmatch(path.name) for path in self.folder.iterdir() if path.is_file()]
        except OSError as error:
            raise PolarMonitorError(f"folder: cannot make or read {str(folder)!r} ({error}); pass another") from error
        self.steps = sorted(int(name[1]) for name in names if name)
        """Steps of the files, in order."""
        self._series: dict[tuple[str, str], _Series] = {}
        self._healthy: int | None = None
        self._mode, self._counted, self._waited, self._saved, self._healthy_until = "", -1, self.every - 1, -1, -1
        self._pid, self._started = os.getpid(), False

    @property
    def healthy(self) -> Path | None:
        """The newest file that is not later than the last healthy step of the alerts; None without one."""
        return None if self._healthy is None else self.file(self._healthy)

    def file(self, step: int) -> Path:
        """Return the file of a step."""
        return self.folder / f"healthy-{step}.pt"

    def write(self, evaluation: Evaluation) -> None:
        """Save, or pause at an alert. Raises OSError if the disk fails, and every error of `save`."""
        if os.getpid() != self._pid:
            return
        key, step = (evaluation.name, evaluation.mode), evaluation.step
        if step < self._series.get(key, _Series()).step or (not self._started and step <= max(self.steps, default=-1)):
            self._start_other_run(step)
        self._started, paused = True, self._paused()
        alerts = self._series.setdefault(key, _Series()).update(evaluation)
        if alerts:
            self._point_back(step, alerts, paused)
        # another latent or mode was healthy at this step
        if not self._series[key].healthy and self._saved == step in self.steps and self._healthy != step:
            self._remove(step)
        if not alerts and paused and not self._paused():
            log_line(
                logging.WARNING, "all lost information is back at step %d: healthy checkpoints are saved again", step
            )
        if self._is_due(evaluation.mode, step) and not self._paused() and all(s.healthy for s in self._series.values()):
            self._save(step)

    def clear(self) -> None:
        """Save again, although the lost dimensions are not back; `healthy` becomes None."""
        self._healthy, self._series = None, {key: _Series(non_finite=s.non_finite) for key, s in self._series.items()}

    def resume(self, step: int) -> None:
        """Remove the files after `step`, and forget the alerts after it. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        self._started, self._counted, self._saved = True, -1, -1
        for key, series in self._series.items():
            missing = {one: (since, nats) for one, (since, nats) in series.missing.items() if since <= step}
            self._series[key] = _Series(non_finite=series.non_finite, missing=missing)
        self._healthy = self._healthy if self._paused() else None
        for later in [one for one in self.steps if one > step]:
            self._remove(later)

    def flush(self) -> None:
        """Do nothing: a file is complete when it has its name, and none stays open."""

    close = flush

    def _paused(self) -> bool:
        return any(series.missing for series in self._series.values())

    def _is_due(self, mode: str, step: int) -> bool:
        self._mode = "train" if mode == "train" else self._mode or mode
        if mode == self._mode and step != self._counted:
            self._counted, self._waited = step, self._waited + 1
        return mode == self._mode and self._waited >= self.every and step > max(self.steps, default=-1)

    def _save(self, step: int) -> None:
        self._waited = 0  # also if it fails: the next try is due as the next checkpoint is
        data, part = self.save(), self.folder / "healthy.part"
        try:
            with open(part, "wb") as stream:
                torch.save(data, stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, self.file(step))
        finally:
            part.unlink(missing_ok=True)
        self.steps, self._saved = [*self.steps, step], step
        left = [one for one in self.steps if one != self._healthy]
        while len(left) > self.keep:  # the newest stays; the file goes whose neighbours are the closest for its age
            gaps = {i: (left[i + 1] - left[i - 1]) / (left[-1] - left[i]) for i in range(1, len(left) - 1)}
            self._remove(left.pop(min(gaps, key=gaps.__getitem__, default=0)))

    def _remove(self, step: int) -> None:
        self.file(step).unlink(missing_ok=True)
        self.steps.remove(step)

    def _start_other_run(self, step: int) -> None:
        if self.steps:
            files = f"{str(self.folder)!r} has checkpoints up to step {self.steps[-1]}, now named healthy-<step>.pt.old"
            warn(f"KeepHealthy: a run starts at step {step}; {files}; to go on, call monitor.load_state_dict() first")
        for path in filter(Path.is_file, map(self.file, self.steps)):
            path.replace(f"{path}.old")
        self.steps, self._waited, self._series, self._healthy = [], self.every - 1, {}, None

    def _point_back(self, step: int, alerts: Sequence[Alert], paused: bool) -> None:
        before = self._healthy_until if paused else step
        self._healthy_until = min([before, *(a.last_healthy_step for a in alerts if a.last_healthy_step is not None)])
        if paused and self._healthy_until == before:
            return
        early = (one for one in self.steps if one <= self._healthy_until and one < step and self.file(one).is_file())
        self._healthy = max(early, default=None)
        if self._healthy is None:
            files = f"found those of steps {self.steps} in {str(self.folder)!r}; use a smaller every= or a larger keep="
            warn(f"KeepHealthy: expected a checkpoint of step {self._healthy_until} or earlier at an alert, {files}")
        else:
            line = "the last healthy checkpoint is %s; saving is paused until a recovery or clear()"
            log_line(logging.WARNING, line, self.healthy)


@dataclass
class _Series:
    """Evaluations of one latent in one mode."""

    step: int = -1
    healthy: bool = True
    non_finite: float = 0.0
    missing: dict[int | None, tuple[int, float]] = field(default_factory=dict)
    """Dimension (None: the total) with an alert: step of the alert, nats that a recovery needs."""
    recovered: int = 0

    def update(self, evaluation: Evaluation) -> list[Alert]:
        """Take one evaluation; return its alerts that pause saving."""
        alerts = [alert for alert in evaluation.alerts if alert.kind in PAUSING]
        repeated, self.step, self.healthy = evaluation.step == self.step, evaluation.step, False
        s, regime, nats = evaluation.snapshot, evaluation.regime, dict[int | None, float]()
        if s is not None and regime is not None:
            before, self.non_finite = self.non_finite, float(np.sum(s.non_finite))
            self.healthy = evaluation.observed > 0 and self.non_finite <= before and not alerts
            self.healthy &= regime.verdict is not Verdict.COLLAPSED
            nats = {j: float(s.information[j]) for j in regime.informative if s.information[j] > 0}
            nats[None] = sum(nats.values())
        for alert in alerts:
            for j in alert.dimensions or (None,):
                name = "peak" if j is None else "from" if len(alert.dimensions) == 1 else f"from_{j}"
                since, needed = self.missing.get(j, (evaluation.step, 0.0))
                self.missing[j] = since, max(needed, RECOVERED_SHARE * alert.evidence.get(name, 0.0))
        recovered_now = all(nats.get(one, 0.0) >= max(1e-9, needed) for one, (_, needed) in self.missing.items())
        self.recovered = self.recovered + (not repeated) if self.healthy and recovered_now else 0
        self.missing = {} if self.recovered >= RECOVERED_EVALUATIONS else self.missing
        return alerts
