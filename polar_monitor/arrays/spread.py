"""The one table of units in which a posterior's spread comes: log σ², σ², σ and log σ.

A new unit is a new row here, and a row for its names in `discovery.vocabulary`. Formulas are written once for arrays
and tensors: their argument `xp` is the module `numpy` or `torch`. They hold no branch on a value and no loop, so that a
compiler can trace them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError

WRITE_LOGARITHM = "pass it as logvar= if it is log σ², as logstd= if it is log σ"
"""Line for a spread below 0."""
CLEARLY_POSITIVE = 0.5
"""Log-variance that no collapsed latent has: more noise than its prior by a factor of 1.6."""


class Unit(NamedTuple):
    """One unit of a spread."""

    variance: Callable[..., Any]
    """(spread, xp, out=None) → σ², which is written to `out` if this unit is not σ² itself."""
    rescaled: Callable[[Any, Any, Any], Any]
    """(spread, prior's variance, xp) → the spread of z / σp, in the same unit."""
    positive: bool = False
    """True if no value can be below 0."""
    hides_negative: bool = False
    """True if a negative value, which is an error in this unit, has a positive variance."""
    doubt: Callable[[float, float], str] = lambda smallest, largest: ""
    """(smallest, largest value) → a warning if only another unit fits them, else ''."""
    settles: Callable[[float], bool] = lambda smallest: False
    """(smallest value) → True if no further values can raise a doubt."""


def _doubt_log_variance(smallest: float, largest: float) -> str:
    if smallest >= 0 and largest >= CLEARLY_POSITIVE:
        return "no log-variance is below 0, so every variance is 1 or more: is it a variance? Then pass var="
    return ""


def _doubt_variance(smallest: float, largest: float) -> str:
    if smallest < 0:
        return _negative("var", smallest)
    if smallest >= 1 and largest >= math.exp(CLEARLY_POSITIVE):
        return "every variance is 1 or more: is what was read as a log-variance a variance? Then pass var="
    return ""


def _doubt_deviation(smallest: float, largest: float) -> str:
    return _negative("std", smallest) if smallest < 0 else ""


def _negative(unit: str, smallest: float) -> str:
    return f"{unit} has values below 0 (the smallest is {smallest:.3g}), so it is a logarithm: {WRITE_LOGARITHM}"


UNITS: dict[str, Unit] = {
    "logvar": Unit(
        variance=lambda spread, xp, out=None: xp.exp(spread, out=out),
        rescaled=lambda spread, prior, xp: spread - xp.log(prior),
        doubt=_doubt_log_variance,
        settles=lambda smallest: smallest < 0,
    ),
    "var": Unit(
        positive=True,
        variance=lambda spread, xp, out=None: spread,
        rescaled=lambda spread, prior, xp: spread / prior,
        doubt=_doubt_variance,
    ),
    "std": Unit(
        positive=True,
        variance=lambda spread, xp, out=None: xp.square(spread, out=out),
        rescaled=lambda spread, prior, xp: spread / xp.sqrt(prior),
        hides_negative=True,
        doubt=_doubt_deviation,
    ),
    "logstd": Unit(
        variance=lambda spread, xp, out=None: xp.exp(xp.multiply(spread, 2.0, out=out), out=out),
        rescaled=lambda spread, prior, xp: spread - 0.5 * xp.log(prior),
    ),
}
"""Units by name. Several spreads in one output: the first unit of this table that the output has is read."""
ARGUMENTS = tuple(UNITS)
"""Units as arguments, in the order in which messages name them."""


def one_spread(**spreads: Any) -> tuple[str | None, Any]:
    """Return the unit that was given and its value; (None, None) for none. Raises PolarMonitorError for several.

    The arguments have the names of units; None is a spread that is not given.
    """
    given = [(unit, value) for unit, value in spreads.items() if value is not None]
    if len(given) > 1:
        got = " and ".join(unit for unit, _ in given)
        raise PolarMonitorError(f"expected at most one of {', '.join(ARGUMENTS)}; got {got}: pass one")
    return given[0] if given else (None, None)


def to_variance(spread: NDArray[Any], unit: str, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return σ² of a spread in its unit; NaN where a unit hides that a value is negative. A negative σ² stays.

    With `out=spread` the result takes the memory of the spread.
    """
    row = UNITS[unit]
    negative = spread < 0 if row.hides_negative else None
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        variance: NDArray[Any] = row.variance(spread, np, out)
    if negative is not None:
        variance[negative] = np.nan
    return variance


def unit_doubt(unit: str | None, smallest: float, largest: float) -> str:
    """Return a warning about a spread whose values fit another unit only; '' if there is nothing to say.

    An active dimension has log-variances far below 0, a passive one has them about 0, of either sign. If none is below
    0 and some are `CLEARLY_POSITIVE` or more, they are variances: that of a passive dimension is about 1.
    """
    return "" if unit is None else UNITS[unit].doubt(smallest, largest)


def ends_of(spread: NDArray[Any], smallest: float, largest: float) -> tuple[float, float]:
    """Return the ends of all values so far: those of a spread that are numbers, and `smallest` and `largest`."""
    if spread.size == 0:
        return smallest, largest
    low, high = float(spread.min()), float(spread.max())
    if low != low:
        low, high = float(np.fmin.reduce(spread, axis=None)), float(np.fmax.reduce(spread, axis=None))
    return (low if low < smallest else smallest), (high if high > largest else largest)
