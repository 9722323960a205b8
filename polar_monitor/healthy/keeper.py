"""The sink: when a checkpoint is saved, and which one to go back to."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .._validation import checked_count
from ..alerts.alert import Alert, AlertKind
from ..errors import PolarMonitorError, warn
from ..evaluation import Evaluation
from . import memory
from .folder import Folder
from .run import Key, Run
from .series import Series, thinned

log = logging.getLogger("polar_monitor")

BAD = frozenset(
    {AlertKind.FADING, AlertKind.LOST, AlertKind.DRAIN, AlertKind.COLLAPSE, AlertKind.NON_FINITE, AlertKind.SILENT}
)
"""Alerts from which on nothing is saved."""


class KeepHealthy:
    """A sink that keeps checkpoints of healthy steps in a folder.

    An alert (but for REVIVED, VARIANCE_COLLAPSE and CUSTOM) stops it, and makes `healthy` the newest file that is not
    later than the alert's last healthy step. It saves again once every dimension that was told of, and the total of
    what is in use, have nine tenths of the information they had at that step, in three evaluations in a row; or after
    `clear()`; or when the run is resumed from before the alert. A model that has collapsed, is silent or gives NaN is
    never saved. `healthy` is never removed to make room. It stays until `clear()`, going back, or the next trouble
    after a recovery.

    Resuming (`monitor.load_state_dict`, before the training goes on) at a step removes the files of later ones: they
    are of an abandoned branch. A run that begins again without its monitor's state is another run: the files of before
    go to the folder `before-1`, as does a `healthy` that a resume from an earlier step leaves behind. All of this is
    remembered in `healthy.json`, so that a restart goes on where it was. Files of other names are left alone.

    Of several monitors or modes that share one keeper, each must be well; the monitors have different names and count
    the same steps. `every` counts evaluations in training, or in the mode that there is.

    Args:
        folder: Where they go, as `healthy-<step>.pt`; it is made. Files of an earlier part of the run are taken over.
        save: Gives what `torch.save` writes, such as `lambda: {"model": model.state_dict()}`. It is called in the
            training's thread, and its time is the monitor's own: choose `every` so that it is seldom.
        every: Evaluations between two checkpoints.
        keep: Most files kept, beside `healthy`: the farther back, the wider apart.

    Raises:
        PolarMonitorError: `save` is no callable, a number below 1, or a folder that cannot be made or read.

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
        self.save = save
        self.every, self.keep = checked_count("every", every), checked_count("keep", keep)
        self._files = Folder(folder)
        self._run = memory.read(self._files)
        self._begun = False
        self._tried = False
        """To save, in this process."""
        self._pid = os.getpid()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._files.path

    @property
    def steps(self) -> list[int]:
        """Of the files kept, in order."""
        return self._files.steps

    @property
    def healthy(self) -> Path | None:
        """The newest file that is not later than the last healthy step of the first alert; None without one."""
        return None if self._run.healthy is None else self.file(self._run.healthy)

    def file(self, step: int) -> Path:
        """The file of a step."""
        return self._files.file(step)

    def write(self, evaluation: Evaluation) -> None:
        """Save, or note an alert. Raises OSError if the disk fails, and whatever `save` raises: the monitor tells."""
        if os.getpid() != self._pid:
            return
        step, key = evaluation.step, (evaluation.name, evaluation.mode)
        self._begin(key, step)
        run = self._run
        one = run.series.setdefault(key, Series(waited=0 if self._tried else None))
        counts, trouble = run.counts(key, step), run.trouble
        bad = [alert for alert in evaluation.alerts if alert.kind in BAD]
        one.look(evaluation, bad)
        if bad:
            if self.steps[-1:] == [step] and run.healthy != step:
                self._files.remove(step)  # another latent or mode was well at it
            self._point_back(step, bad, new=not trouble)
        elif trouble and not run.trouble:
            log.warning("what was lost is back at step %d: healthy checkpoints are saved again", step)
        elif counts and self._is_due(one, step):
            self._save(step)
        else:
            return
        memory.write(self._files, run)

    def clear(self) -> None:
        """What has been lost is given up, and all is taken as well as it is now: `healthy` is None, saving goes on."""
        self._run.clear()
        memory.write(self._files, self._run)

    def resume(self, step: int) -> None:
        """The run goes on after `step`, as the monitor says when it is resumed. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        self._begun, healthy = True, self._run.healthy
        self._run.resume(step)
        if healthy is not None and healthy > step:
            where = self._files.aside([healthy])
            log.warning("the run goes on from before its healthy checkpoint, which is in %s now", where)
        for later in [one for one in self.steps if one > step]:
            self._files.remove(later)
        memory.write(self._files, self._run)
        if self._run.trouble:
            log.warning("no checkpoints until what was lost is back; the last healthy one is %s", self.healthy)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def _begin(self, key: Key, step: int) -> None:
        """See whether this is another run than that of the files."""
        if self._run.is_another(key, step, self._begun):
            where = self._files.aside(self.steps, memory.STATE)
            warn(
                f"a run begins at step {step}, but {str(self.folder)!r} has checkpoints of one that came to step "
                f"{self._run.reached}; they are in {str(where)!r} now. To go on with a run, call "
                "monitor.load_state_dict() before the training goes on"
            )
            self._run = Run()
        self._begun, self._run.reached = True, max(self._run.reached, step)

    def _is_due(self, one: Series, step: int) -> bool:
        """Whether to save at an evaluation that counts and has no alerts."""
        if not self._run.well or (self.steps and step <= self.steps[-1]):  # another latent has saved at it
            return False
        if one.waited is not None:
            one.waited += 1
        return one.waited is None or one.waited >= self.every

    def _save(self, step: int) -> None:
        self._tried = True
        for series in self._run.series.values():
            series.waited = 0  # also if it fails: the next try comes when the next is due
        data = self.save()
        self._files.add(step, lambda stream: torch.save(data, stream))
        for one in thinned([one for one in self.steps if one != self._run.healthy], self.keep):
            self._files.remove(one)

    def _point_back(self, step: int, bad: list[Alert], new: bool) -> None:
        """Find the file to go back to. The first alert of a trouble that knows a last healthy step decides."""
        if not new and (self._run.known or all(alert.last_healthy_step is None for alert in bad)):
            return
        there = self._files.there()
        last = self._run.point_back(step, bad, there)
        if self.healthy is not None:
            also = "no other is saved until what is lost is back, or clear() is called"
            log.warning("the last healthy checkpoint is %s; %s", self.healthy, also)
            return
        why = f"none has been saved in {str(self.folder)!r}"
        if there:
            why = (
                f"the last healthy step is {last}, and the oldest one is of step {there[0]}; a smaller every= or a "
                "larger keep= would have one"
            )
        warn(f"there is no checkpoint to go back to at step {step}: {why}")
