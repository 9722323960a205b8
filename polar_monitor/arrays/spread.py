"""The posterior's spread in any of its units: "logvar", "var" or "std", and "logstd" where an output says so itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError


def one_spread(logvar: Any, var: Any, std: Any) -> tuple[str | None, Any]:
    """Which of the three was given, and it; (None, None) for none. Raises PolarMonitorError for more than one."""
    given = [(kind, value) for kind, value in (("logvar", logvar), ("var", var), ("std", std)) if value is not None]
    if len(given) > 1:
        got = " and ".join(kind for kind, _ in given)
        raise PolarMonitorError(f"expected at most one of logvar, var, std; got {got}: pass one")
    return given[0] if given else (None, None)


def to_variance(spread: NDArray[Any], kind: str) -> NDArray[Any]:
    """σ² from a spread in its unit, float32; log-units cannot give a negative value, the others are not mended."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        match kind:
            case "logvar":
                return np.asarray(np.exp(spread))
            case "logstd":
                return np.asarray(np.exp(2.0 * spread))
            case "std":
                return np.where(spread < 0, np.float32("nan"), np.square(spread))
            case _:
                return np.asarray(spread)


def unit_doubt(kind: str | None, least: float, greatest: float) -> str:
    """What to say of a spread whose values, from `least` to `greatest`, fit another unit only; '' if nothing.

    An active dimension has log-variances far below 0, a passive one about 0, of either sign. None below 0 and some of
    `PLAINLY` or more are variances, of which that of a passive dimension is about 1.
    """
    if kind in ("var", "std") and least < 0:
        return f"the {kind} has values below 0 (least {least:.3g}): is it a log-variance? Then pass logvar="
    if kind == "var" and least >= 1 and greatest >= math.exp(CLEARLY_POSITIVE):
        return "every variance is 1 or more: is what was read as a log-variance a variance? Then pass var="
    if kind == "logvar" and least >= 0 and greatest >= CLEARLY_POSITIVE:
        return "no log-variance is below 0, so every variance is 1 or more: is it a variance? Then pass var="
    return ""


CLEARLY_POSITIVE = 0.5
"""A log-variance that no collapsed latent has: more noise than its prior by a factor of 1.6."""
