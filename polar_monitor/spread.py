"""The posterior's spread in any of its units: "logvar", "var" or "std", and "logstd" where an output says so itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PolarMonitorError


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
