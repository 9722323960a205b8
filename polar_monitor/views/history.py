"""Tidy records of a run: one for each dimension at each evaluation."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import PolarMonitorError, warn
from ..sinks.scalars import LETTERS
from .course import Course
from .find_logs import log_of_run
from .log import RunLog

LIBRARIES = ("pandas", "polars")


class Record(NamedTuple):
    """One dimension at one evaluation."""

    step: int
    dimension: int
    nats: float
    error: float
    """Standard error of `nats`."""
    label: str
    name: str
    """Name of the monitored latent, "" for the only one."""
    mode: str
    worth: float
    """Rise of the loss when the dimension is replaced, by the probe before this evaluation; NaN without one."""
    worth_error: float
    """Standard error of `worth`."""
    drift: float
    """Movement of the dimension's mean over the window; NaN in light evaluations, which do not measure it."""
    drift_error: float
    """Standard error of `drift`."""


class History(Sequence[Record]):
    """Records of a run, by latent and mode, then by step, then by dimension."""

    def __init__(self, columns: dict[str, Any], notes: Sequence[str] = ()) -> None:
        self.columns = columns
        """Each field of `Record` as an array."""
        self.notes = tuple(notes)
        """Sentences about the log: an incomplete last line, bad lines, lost evaluations, earlier runs."""

    def __len__(self) -> int:
        return len(self.columns["step"])

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return History({name: column[place] for name, column in self.columns.items()}, self.notes)
        return Record(*(np.asarray(column[place]).item() for column in self.columns.values()))

    def __iter__(self) -> Iterator[Record]:
        return map(Record, *(column.tolist() for column in self.columns.values()))

    def __repr__(self) -> str:
        """Describe the history in a line."""
        steps, dimensions = (len(np.unique(self.columns[name])) for name in ("step", "dimension"))
        head = f"<History: {len(self):,} records, {steps:,} steps, {dimensions:,} dimensions"
        return "; ".join([head, *self.notes]) + ">"

    def to_frame(self, library: str | None = None) -> Any:
        """Return a data frame with a column for each field: of pandas, or of polars if there is no pandas.

        Raises PolarMonitorError for another `library`, and ImportError if it is not installed.
        """
        if library is not None and library not in LIBRARIES:
            raise PolarMonitorError(f"library: expected pandas or polars, got {library!r}")
        for name in LIBRARIES if library is None else (library,):
            if importlib.util.find_spec(name) is not None:
                return importlib.import_module(name).DataFrame(self.columns)
        raise ImportError(f"a data frame needs {library or 'pandas or polars'}: pip install {library or 'pandas'}")


def read(run: str | os.PathLike[str]) -> History:
    """Return the tidy records of a run: step, dimension, nats, error, label, the latent's name and mode, worth, drift.

    Worths are known where a probe (`monitor.probe`) came before, the drift in full evaluations; NaN elsewhere. Warns if
    the log has lost evaluations or has lines that cannot be read; `notes` of the result has these sentences too.

    Args:
        run: The folder of a run (`log_dir`), or its polar.jsonl. It may still be written.

    Raises:
        PolarMonitorError: There is no log, nothing in it was evaluated, or the folder holds several runs.

    Example:
        >>> import polar_monitor
        >>> frame = polar_monitor.read("runs/demo").to_frame()  # doctest: +SKIP
        >>> frame.pivot(index="step", columns="dimension", values="nats").plot()  # doctest: +SKIP
    """
    log = read_log(run)
    for loss in log.losses:
        warn(f"{str(log.path)!r}: {loss}", depth=2)
    return history_of_log(log)


def read_log(run: str | os.PathLike[str]) -> RunLog:
    """Return the only log of a run, with something in it to draw. Raises PolarMonitorError like `read`."""
    log = RunLog(log_of_run(run))
    log.refresh()
    if log.problem:
        raise PolarMonitorError(f"{str(log.path)!r}: {log.problem}")
    return log


def history_of_log(log: RunLog) -> History:
    """Return the records of a log, with its notes."""
    return history_of([course for course in log.courses.values() if course.measured], log.notes)


def history_of(courses: Sequence[Course], notes: Sequence[str] = ()) -> History:
    """Return the records of courses, one after the other."""
    parts = [_columns(course) for course in courses]
    return History({name: np.concatenate([part[name] for part in parts]) for name in Record._fields}, notes)


def _columns(course: Course) -> dict[str, Any]:
    T, D = course.information.shape
    words = np.array([str(LETTERS[letter]) for point in course.measured for letter in point.letters], object)
    return {
        "step": np.repeat(course.steps, D),
        "dimension": np.tile(np.arange(D), T),
        "nats": course.information.ravel(),
        "error": course.information_se.ravel(),
        "label": words,
        "name": np.full(T * D, course.name, object),
        "mode": np.full(T * D, course.mode, object),
        "worth": course.worth.ravel(),
        "worth_error": course.worth_se.ravel(),
        "drift": course.drift.ravel(),
        "drift_error": course.drift_se.ravel(),
    }
