"""Arguments that are given in more than one place, checked in one."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import PolarMonitorError

if TYPE_CHECKING:
    from .sinks import Sink

Prior = tuple[Any, Any] | None


def checked_prior(prior: Any) -> Prior:
    """(mean, variance) as numbers or arrays, or None. Raises PolarMonitorError for anything else."""
    if prior is None:
        return None
    if callable(prior):
        raise PolarMonitorError(
            "prior: expected (mean, variance) arrays, got a callable. With a conditional prior, standardise "
            "the latents by it and pass them to monitor.observe((mean - prior_mean) / prior_std, var=var / prior_var)"
        )
    if not isinstance(prior, tuple | list) or len(prior) != 2:
        raise PolarMonitorError(f"prior: expected (mean, variance), got {prior!r}")
    pair = []
    for word, value in zip(("mean", "variance"), prior, strict=True):
        array = value.detach().cpu() if hasattr(value, "detach") else value
        try:
            array = np.asarray(array, np.float64)
        except (TypeError, ValueError):
            raise PolarMonitorError(f"prior: expected numbers as its {word}, got {value!r}") from None
        if array.ndim > 1 or not np.isfinite(array).all():
            raise PolarMonitorError(f"prior: expected a finite {word}, a number or (D,), got {value!r}")
        pair.append(array)
    if not (pair[1] > 0).all():
        raise PolarMonitorError(f"prior: expected a variance above 0, got {prior[1]!r}")
    return pair[0], pair[1]


def checked_output(log_dir: Any, sinks: Any) -> tuple[str | os.PathLike[str] | None, tuple[Sink, ...] | None]:
    """Where results go. Raises PolarMonitorError for what is no folder's name, or no sink."""
    if log_dir is not None and not isinstance(log_dir, str | os.PathLike):
        raise PolarMonitorError(f"log_dir: expected the name of a folder, got {log_dir!r}")
    if sinks is None:
        return log_dir, None
    chosen = tuple(sinks) if isinstance(sinks, Iterable) and not isinstance(sinks, str) else (sinks,)
    for sink in chosen:
        lacking = [verb for verb in ("write", "flush", "close") if not callable(getattr(sink, verb, None))]
        if lacking or isinstance(sink, str | bytes):
            raise PolarMonitorError(
                f"sinks: expected a list of objects with write(evaluation), flush() and close(), got {sink!r}"
            )
    return log_dir, chosen


def whole(word: str, value: Any, least: int = 1) -> int:
    """A whole number. Raises PolarMonitorError for anything else, or less than `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise PolarMonitorError(f"{word}: expected a whole number of {least} or more, got {value!r}")
    return number
