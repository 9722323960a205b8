"""Checkpoints of the steps before the trouble: a sink that saves while all is well, and keeps what is worth it.

Fading begins before it can be told from noise, so the newest checkpoint is rarely a healthy one. A few are kept, the
farther back the wider apart, and an alert's `last_healthy_step` says which. What has been lost is known by its level,
so that no passing of time makes it well.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from .alerts import Alert, AlertKind
from .arguments import whole
from .errors import PolarMonitorError
from .evaluation import Evaluation
from .faults import tell
from .regime import DWELL, Verdict

log = logging.getLogger("polar_monitor")

BAD = frozenset(
    {AlertKind.FADING, AlertKind.LOST, AlertKind.DRAIN, AlertKind.COLLAPSE, AlertKind.NON_FINITE, AlertKind.SILENT}
)
"""Alerts from which on nothing is saved."""
BACK = 0.9
"""Share of the information before the trouble that must be there again."""
PAST = 16
"""Evaluations of which the information is remembered, thinned out like the files."""
STATE = "healthy.json"
VERSION = 1
LONGEST = 64 * 2**20
"""Bytes of the longest state that is read."""
BROKEN = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a state that is none can raise."""
NAME = re.compile(r"healthy-(0|[1-9][0-9]{0,17})\.pt")


class Wanted(NamedTuple):
    """What an alert says is missing, and has to be there again before anything is saved."""

    since: int
    """Step of the alert."""
    dimension: int | None
    """None for the total of what is in use."""
    level: float
    """Nats at the last healthy step."""


@dataclass
class Series:
    """What is known of one latent in one mode."""

    last: int = -1
    """Step of the last evaluation."""
    well: bool = True
    """Nothing was wrong in it by itself."""
    non_finite: float = 0.0
    wanted: list[Wanted] = field(default_factory=list)
    back: int = 0
    """Evaluations in a row that found all that is wanted."""
    past: dict[int, dict[int, float]] = field(default_factory=dict)
    """Step: nats of each dimension in use; of some evaluations at which all was well."""
    waited: int | None = None
    """Evaluations since the last checkpoint; None before the first."""

    def look(self, evaluation: Evaluation, bad: Sequence[Alert]) -> None:
        """Take in one evaluation, with those of its alerts that mean trouble."""
        again, self.last = evaluation.step == self.last, evaluation.step  # asked for twice, or two of one name
        levels, non_finite, collapsed = _in_use(evaluation), self.non_finite, True
        if evaluation.snapshot is not None and evaluation.regime is not None:
            non_finite = float(np.sum(evaluation.snapshot.non_finite))
            collapsed = evaluation.regime.verdict is Verdict.COLLAPSED
        self.well = evaluation.observed > 0 and not collapsed and non_finite <= self.non_finite and not bad
        self.non_finite = non_finite
        for alert in bad:
            self._want(alert)
        self.back = self.back + (not again) if self.well and all(_is_back(one, levels) for one in self.wanted) else 0
        if self.back >= DWELL:
            self.wanted.clear()
        if self.well and not self.wanted:
            self.past[evaluation.step] = levels
            for step in thinned(sorted(self.past), PAST):
                del self.past[step]

    def _want(self, alert: Alert) -> None:
        last = alert.last_healthy_step
        before = [step for step in self.past if last is None or step <= last]
        levels = self.past[max(before) if before else min(self.past)] if self.past else {}
        have = {one.dimension for one in self.wanted}
        if None not in have:
            self.wanted.append(Wanted(alert.step, None, sum(levels.values())))
        if alert.dimension is not None and alert.dimension not in have:
            level = levels.get(alert.dimension, float(alert.evidence.get("from", 0.0)))
            self.wanted.append(Wanted(alert.step, alert.dimension, level if math.isfinite(level) else 0.0))

    def resume(self, step: int) -> None:
        """Forget what came after `step`."""
        self.last, self.back, self.well = -1, 0, True
        self.wanted = [one for one in self.wanted if one.since <= step]
        self.past = {one: levels for one, levels in self.past.items() if one <= step}


class KeepHealthy:
    """A sink that keeps checkpoints of healthy steps in a folder.

    An alert (but for REVIVED, VARIANCE_COLLAPSE and CUSTOM) stops it, and makes `healthy` the newest file that is not
    younger than the alert's last healthy step. It saves again once every dimension that was told of, and the total of
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
        self.folder = Path(folder)
        self.save = save
        self.every, self.keep = whole("every", every), whole("keep", keep)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = [(NAME.fullmatch(file.name), file) for file in self.folder.iterdir()]
        except OSError as error:
            raise PolarMonitorError(f"cannot make or read {str(self.folder)!r} ({error.strerror or error})") from error
        self.steps = sorted(int(match[1]) for match, file in found if match and file.is_file())
        """Of the files kept, in order."""
        self._series: dict[tuple[str, str], Series] = {}
        self._leads: dict[str, str] = {}
        """The mode of each latent in which evaluations are counted."""
        self._healthy: int | None = None
        self._since = -1
        """Step of the alert that `healthy` is of."""
        self._known = False
        """That alert has told a last healthy step."""
        self._reached = self.steps[-1] if self.steps else -1
        """The last step of an earlier process that is known of."""
        self._begun = False
        self._tried = False
        """To save, in this process."""
        self._pid = os.getpid()
        self._read()

    @property
    def healthy(self) -> Path | None:
        """The newest file that is not younger than the last healthy step of the first alert; None without one."""
        return None if self._healthy is None else self.file(self._healthy)

    def file(self, step: int) -> Path:
        """The file of a step."""
        return self.folder / f"healthy-{step}.pt"

    def write(self, evaluation: Evaluation) -> None:
        """Save, or note an alert. Raises OSError if the disk fails, and whatever `save` raises: the monitor tells."""
        if os.getpid() != self._pid:
            return
        step, name, mode = evaluation.step, evaluation.name, evaluation.mode
        self._begin(step, (name, mode))
        if mode == "train" or name not in self._leads:
            self._leads[name] = mode
        one = self._series.setdefault((name, mode), Series(waited=0 if self._tried else None))
        bad = [alert for alert in evaluation.alerts if alert.kind in BAD]
        trouble = self._trouble()
        counts = self._leads[name] == mode and step != one.last
        one.look(evaluation, bad)
        if bad:
            if self.steps and self.steps[-1] == step and self._healthy != step:
                self._remove(step)  # another latent or mode was well at it
            self._point_back(bad, step, new=not trouble)
        elif trouble and not self._trouble():
            log.warning("what was lost is back at step %d: healthy checkpoints are saved again", step)
        elif not self._is_due(one, step, counts):
            return
        else:
            self._save(step)
        self._remember()

    def clear(self) -> None:
        """What has been lost is given up, and all is taken as well as it is now: `healthy` is None, saving goes on."""
        for one in self._series.values():
            one.wanted.clear()
            one.well = True
        self._healthy, self._known = None, False
        self._remember()

    def resume(self, step: int) -> None:
        """The run goes on after `step`, as the monitor says when it is resumed. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        self._begun = True
        later, healthy = [one for one in self.steps if one > step], self._healthy
        for series in self._series.values():
            series.resume(step)
        if self._since > step:
            self._healthy, self._known = None, False
        if healthy in later:
            where = self._aside([one for one in later if one == healthy])
            log.warning("the run goes on from before its healthy checkpoint, which is in %s now", where)
        for one in later:
            if one != healthy:
                self._remove(one)
        self._remember()
        if self._trouble():
            log.warning("no checkpoints until what was lost is back; the last healthy one is %s", self.healthy)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def _trouble(self) -> bool:
        return any(one.wanted for one in self._series.values())

    def _is_due(self, one: Series, step: int, counts: bool) -> bool:
        """Whether to save at an evaluation without alerts, if it counts."""
        if not counts or self._trouble() or not all(other.well for other in self._series.values()):
            return False
        if self.steps and step <= self.steps[-1]:
            return False  # another latent has saved at it
        if one.waited is not None:
            one.waited += 1
        return one.waited is None or one.waited >= self.every

    def _begin(self, step: int, series: tuple[str, str]) -> None:
        """See whether this is another run than that of the files."""
        last = self._series[series].last if series in self._series else -1
        if step < last or (not self._begun and step <= self._reached):
            before = max(last, self._reached)
            where = self._aside(self.steps)
            with suppress(FileNotFoundError):
                os.replace(self.folder / STATE, where / STATE)
            self._series, self._leads, self._healthy, self._known = {}, {}, None, False
            tell(
                f"a run begins at step {step}, but {str(self.folder)!r} has checkpoints of one that came to step "
                f"{before}; they are in {str(where)!r} now. To go on with a run, call monitor.load_state_dict() before "
                "the training goes on"
            )
        self._begun = True

    def _point_back(self, bad: list[Alert], step: int, new: bool) -> None:
        """Find the file to go back to. The first alert of a trouble that knows a last healthy step decides."""
        known = [alert.last_healthy_step for alert in bad if alert.last_healthy_step is not None]
        if not new and (self._known or not known):
            return
        there = [one for one in self.steps if self.file(one).is_file()]
        before = [one for one in there if not known or one <= min(known)]
        self._healthy, self._since, self._known = before[-1] if before else None, step, bool(known)
        if self._healthy is not None:
            said = (
                "the last healthy checkpoint is %s; no other is saved until what is lost is back, or clear() is called"
            )
            log.warning(said, self.healthy)
        elif not there:
            tell(f"there is no checkpoint to go back to at step {step}: none has been saved in {str(self.folder)!r}")
        else:
            tell(
                f"there is no checkpoint to go back to at step {step}: the last healthy step is {min(known)}, and the "
                f"oldest one is of step {there[0]}; a smaller every= or a larger keep= would have one"
            )

    def _save(self, step: int) -> None:
        self._tried = True
        for series in self._series.values():
            series.waited = 0  # also if it fails: the next try comes when the next is due
        data = self.save()
        self._replace(self.file(step), lambda stream: torch.save(data, stream))
        self.steps.append(step)
        for one in thinned([one for one in self.steps if one != self._healthy], self.keep):
            self._remove(one)

    def _remove(self, step: int) -> None:
        self.file(step).unlink(missing_ok=True)
        self.steps.remove(step)

    def _aside(self, steps: Sequence[int]) -> Path:
        """Move files to a new folder beside them, whose name is returned."""
        number = 1
        while (where := self.folder / f"before-{number}").exists():
            number += 1
        where.mkdir()
        for step in tuple(steps):
            with suppress(FileNotFoundError):
                os.replace(self.file(step), where / self.file(step).name)
            self.steps.remove(step)
        return where

    def _replace(self, file: Path, write: Callable[[Any], None]) -> None:
        """Write a file so that it is there as a whole or not at all."""
        part = self.folder / "healthy.part"
        try:
            with open(part, "wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, file)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _remember(self) -> None:
        series = [
            {"name": name, "mode": mode, "wanted": one.wanted, "past": [[s, [*p.items()]] for s, p in one.past.items()]}
            for (name, mode), one in self._series.items()
        ]
        reached = max((one.last for one in self._series.values()), default=-1)
        data = {"version": VERSION, "step": reached, "healthy": self._healthy, "since": self._since}
        text = json.dumps(data | {"known": self._known, "series": series}, allow_nan=False)
        self._replace(self.folder / STATE, lambda stream: stream.write(text.encode()))

    def _read(self) -> None:
        """Take over what an earlier process remembered; what is no such thing is told and left out."""
        file = self.folder / STATE
        try:
            with open(file, "rb") as stream:
                text = stream.read(LONGEST + 1)
            if len(text) > LONGEST:
                raise ValueError(f"longer than {LONGEST} bytes")
            data = json.loads(text.decode())
            if data["version"] != VERSION:
                raise ValueError(f"expected version {VERSION}, got {data['version']!r}")
            healthy = None if data["healthy"] is None else _whole(data["healthy"])
            since, reached, known = _whole(data["since"]), _whole(data["step"]), data["known"] is True
            series = {(str(one["name"]), str(one["mode"])): _series(one) for one in data["series"]}
        except FileNotFoundError:
            return
        except (OSError, *BROKEN) as error:
            tell(f"{str(file)!r} cannot be read ({error}): all is taken as well, and no checkpoint as the one to go to")
            return
        self._healthy = healthy if healthy in self.steps else None
        self._since, self._known, self._series = since, known, series
        self._reached = max(self._reached, reached)


def thinned(steps: Sequence[int], keep: int) -> list[int]:
    """Which of the increasing `steps` to drop so that `keep` are left, the wider apart the farther back.

    One after the other goes the one whose neighbours are nearest to each other, for its age. The newest never goes, the
    oldest only where no more than one is kept.

    Example:
        >>> thinned([1, 2, 3, 4, 5, 6], 4)
        [2, 3]
    """
    left, gone = list(steps), []
    while len(left) > keep:
        gaps = [(left[i + 1] - left[i - 1]) / max(left[-1] - left[i], 1) for i in range(1, len(left) - 1)]
        gone.append(left.pop(1 + gaps.index(min(gaps)) if gaps and keep > 1 else 0))
    return gone


def _in_use(evaluation: Evaluation) -> dict[int, float]:
    """Nats of the dimensions that are labelled so."""
    s, regime = evaluation.snapshot, evaluation.regime
    if s is None or regime is None:
        return {}
    nats = {j: float(s.information[j]) for j in regime.informative}
    return {j: float(f"{value:.4g}") for j, value in nats.items() if math.isfinite(value) and value > 0}


def _is_back(one: Wanted, levels: dict[int, float]) -> bool:
    now = sum(levels.values()) if one.dimension is None else levels.get(one.dimension, 0.0)
    return now > 0 and now >= BACK * one.level


def _series(data: Any) -> Series:
    wanted = [Wanted(_whole(s), None if j is None else _whole(j), _number(level)) for s, j, level in data["wanted"]]
    if len(data["past"]) > PAST:
        raise ValueError(f"expected {PAST} evaluations at most, got {len(data['past'])}")
    past = {_whole(step): {_whole(j): _number(level) for j, level in levels} for step, levels in data["past"]}
    return Series(wanted=wanted, past=past)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {str(value)[:40]!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"expected a number of 0 or more, got {str(value)[:40]!r}")
    return float(value)
