"""Checks of the arguments of `compare`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.rows import as_array
from ..errors import PolarMonitorError
from ..regime.label import Label
from ..regime.regime import Regime
from .probes import PROBES

TASKS = ("classification", "regression")


def checked_latents(latents: Any) -> NDArray[np.float64]:
    """Return finite latents (n, D). Raises PolarMonitorError for anything else."""
    array, _ = as_array("latents", latents)
    if array.ndim != 2 or 0 in array.shape:
        raise PolarMonitorError(f"latents: expected shape (n, D) with n and D above 0, got {array.shape}")
    x = array.astype(np.float64)
    _check_finite(np.isfinite(x))
    return x


def _check_finite(finite: NDArray[np.bool_]) -> None:
    """Raise PolarMonitorError unless all of (n, D) is finite; the message names the rows or dimensions to drop."""
    bad = np.flatnonzero(~finite.all(axis=0)).tolist()
    if not bad:
        return
    empty = np.flatnonzero(~finite.any(axis=0)).tolist()
    remedy = "pass latents[:, kept] and [regime.labels[j] for j in kept]"
    if empty:
        raise PolarMonitorError(
            f"latents: expected finite values, got none in dimensions {empty}: leave these dimensions out: {remedy}"
        )
    rows = int(finite.all(axis=1).sum())
    if not rows:
        raise PolarMonitorError(
            f"latents: expected finite values, got NaN or infinity in dimensions {bad}, and no row without one: leave "
            f"some of these dimensions out: {remedy}"
        )
    raise PolarMonitorError(
        f"latents: expected finite values, got NaN or infinity in dimensions {bad}: drop the {len(finite) - rows} rows "
        "that have them, from the targets too"
    )


def checked_level(level: Any) -> float:
    """Return a number between 0 and 1, both excluded. Raises PolarMonitorError for anything else."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < float(level) < 1:
        raise PolarMonitorError(f"level: expected a number between 0 and 1, got {level!r}")
    return float(level)


def checked_labels(regime: Regime | Sequence[str], dimensions: int) -> tuple[Label, ...]:
    """Return one label per dimension. Raises PolarMonitorError for another number of them, or for unknown labels."""
    given = regime.labels if isinstance(regime, Regime) else regime
    try:
        labels = tuple(Label(label) for label in given)
    except (TypeError, ValueError) as wrong:
        raise PolarMonitorError(f"regime: expected a Regime or labels, got {regime!r} ({wrong})") from None
    if len(labels) != dimensions:
        raise PolarMonitorError(
            f"regime: expected labels for the {dimensions} dimensions of the latents, got {len(labels)}: "
            "pass the regime of this representation"
        )
    return labels


def checked_targets(targets: Any, rows: int, task: str | None, folds: int) -> tuple[NDArray[Any], int]:
    """Return the targets (n,) and the number of classes, 0 for regression. Raises PolarMonitorError for unusable ones.

    Floats are numbers to predict and all other types are classes, unless `task` is given.
    """
    try:
        y = np.asarray(targets.detach().cpu() if hasattr(targets, "detach") else targets)
    except ValueError:  # lists of unequal lengths
        raise PolarMonitorError(f"targets: expected shape ({rows},), got {type(targets).__name__} of lists") from None
    if y.shape != (rows,):
        raise PolarMonitorError(f"targets: expected shape ({rows},), one for each row of latents, got {y.shape}")
    if task not in (None, *TASKS):
        raise PolarMonitorError(f"task: expected classification or regression, got {task!r}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise PolarMonitorError("targets: expected finite values, got NaN or infinity: drop those rows")
    if task == "regression" or (task is None and y.dtype.kind == "f"):
        return _numbers(y, folds), 0
    return _classes(y, folds)


def _numbers(y: NDArray[Any], folds: int) -> NDArray[np.float64]:
    if y.dtype.kind not in "fiub":
        raise PolarMonitorError(f"targets: expected numbers for a regression, got {y.dtype}")
    if len(y) < 2 * folds:
        raise PolarMonitorError(f"targets: expected {2 * folds} rows or more for {folds} folds, got {len(y)}")
    if y.min() == y.max():
        raise PolarMonitorError("targets: expected values that differ, got one value only")
    return y.astype(np.float64)


def _classes(y: NDArray[Any], folds: int) -> tuple[NDArray[np.intp], int]:
    try:
        names, which, members = np.unique(y, return_inverse=True, return_counts=True)
    except TypeError:
        raise PolarMonitorError("targets: expected classes of one type, got a mixture of types") from None
    if len(names) < 2:
        raise PolarMonitorError("targets: expected two classes or more, got one")
    if members.min() < folds:
        raise PolarMonitorError(
            f"targets: expected {folds} rows or more of each class, one for each fold, got {members.min()} of "
            f"{names.tolist()[members.argmin()]!r}: merge rare classes, take fewer folds, or pass task='regression'"
        )
    return which, len(names)


def checked_probes(probes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the probes to run. Raises PolarMonitorError for none, or for an unknown one."""
    given = tuple(probes) if isinstance(probes, Iterable) and not isinstance(probes, str) else (probes,)
    if not given or any(probe not in PROBES for probe in given):
        raise PolarMonitorError(f"probes: expected one or more of {', '.join(PROBES)}, got {given!r}")
    return tuple(dict.fromkeys(given))
