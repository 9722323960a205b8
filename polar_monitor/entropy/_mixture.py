"""Information of a latent dimension, and the entropy of a mean resolved at some noise, by quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.columns import Columns
from ..arrays.rows import as_rows
from ..arrays.spread import one_spread, to_variance
from ..errors import PolarMonitorError
from ..kernels import blocking, mixture
from ._estimate import Estimate
from ._per_dimension import Ids, PerDimension
from ._repeats import repeats

F64 = NDArray[np.float64]
MAX_ROWS = 2**16
"""Largest number of components of a mixture: its bias, at most S/2n, is far below its error then."""
MAX_LOG_NOISE = 40.0
"""Limit of |log| of the noise divided by the rows' spread: beyond it the noise counts as infinite, or as none."""


def information(
    mean: Any,
    var: Any = None,
    *,
    logvar: Any = None,
    std: Any = None,
    logstd: Any = None,
    groups: Any = None,
    dependent: bool = True,
) -> Estimate:
    """Information of each latent dimension about the input: I(x; z) = h(z) − ½(log 2πe + E log σ²), z = μ + σε.

    `mean` and one of `var`, `logvar`, `std`, `logstd` have the same shape. h(z) is the entropy of the rows' Gaussian
    mixture, so the value is in [0, log n] (Hoffman & Johnson 2016). Rows with a variance of 0 or less are left out.
    Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> mean = np.random.default_rng(0).normal(size=10_000)
        >>> round(float(entropy.information(mean, np.full(10_000, 0.25))), 1)
        0.8
    """
    kind, spread = one_spread(var=var, logvar=logvar, std=std, logstd=logstd)
    if kind is None:
        raise PolarMonitorError("expected one of var, logvar, std, logstd; got none: without one, see entropy.resolved")
    rows = as_rows("mean", mean, MAX_ROWS)
    spreads = as_rows(kind, spread, MAX_ROWS)
    if (spreads.given, spreads.values.shape) != (rows.given, rows.values.shape):
        raise PolarMonitorError(f"{kind}: expected shape {rows.values.shape}, got {spreads.values.shape}")
    variance = to_variance(np.asarray(spreads.values, np.float64), kind)
    results = PerDimension(rows, groups)
    with np.errstate(invalid="ignore"):
        keep = (variance > 0) & (variance < np.inf)
    for part, cluster in results.parts(keep=keep, lattice=False):
        log_noise = 0.5 * np.log(variance[:, part.which][part.kept].T) - part.log_scale[:, None]
        _put(results, part, log_noise, cluster, dependent)
    return results.estimate()


def resolved(x: Any, tau: Any, *, groups: Any = None, dependent: bool = True) -> Estimate:
    """Entropy of x resolved at a noise of standard deviation τ, at least 0: H_τ(x) = h(x + τε) − ½ log 2πeτ².

    `tau`: a number or (D,), above 0. The value is finite for any x, also a discrete one. For τ → 0 it approaches
    h(x) − ½ log 2πeτ². Raises PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> x = np.random.default_rng(0).choice([0.0, 1.0, 2.0], size=10_000)
        >>> round(float(entropy.resolved(x, tau=0.01)), 3)
        1.099
    """
    rows = as_rows("x", x, MAX_ROWS)
    try:
        noise = np.asarray(tau.detach().float() if hasattr(tau, "detach") else tau, np.float64)
    except (TypeError, ValueError):
        noise = np.zeros(())
    if noise.shape not in ((), (rows.values.shape[1],)) or not ((noise > 0) & np.isfinite(noise)).all():
        raise PolarMonitorError(f"tau: expected a number above 0 or ({rows.values.shape[1]},) of them, got {tau!r}")
    noise = np.broadcast_to(noise, rows.values.shape[1:])
    results = PerDimension(rows, groups)
    for part, cluster in results.parts(lattice=False):
        log_noise = np.log(noise[part.which]) - part.log_scale
        _put(results, part, np.broadcast_to(log_noise[:, None], part.rows.shape), cluster, dependent)
    return results.estimate()


def _put(results: PerDimension, part: Columns, log_noise: Any, cluster: Ids, dependent: bool) -> None:
    """Store the information of `part`, whose rows have a spread of about 1, at the noise exp(`log_noise`)."""
    variance = np.exp(2.0 * np.clip(log_noise, -MAX_LOG_NOISE, MAX_LOG_NOISE)).astype(np.float32)
    in_time = dependent and cluster is None
    squares: list[F64] = []  # n times the variance of the mean, of rows in time order and of independent ones

    def square(terms: F64) -> F64:
        squares.extend((blocking.square(terms), (terms * terms).mean(axis=1)))
        return squares[0]

    rows, noise = part.rows, np.ascontiguousarray(variance)
    value, error = mixture.information(rows, noise, cluster, square=square if in_time else None)
    independent, ties = repeats(results.rows, part)
    error = error / np.sqrt(independent)
    if in_time:
        with np.errstate(divide="ignore", invalid="ignore"):  # a constant: NaN
            alone = error * np.sqrt(squares[1] / squares[0])
        error = blocking.with_bias(error, alone, rows.shape[1] * independent)
    results.put(part, {"value": value, "standard_error": error, "ties": ties})
