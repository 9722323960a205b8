"""Labels of arrays, without a model or a training run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import checked_prior
from .errors import PolarMonitorError
from .regime import Regime, judge
from .rows import as_array
from .spread import one_spread, to_variance


def classify(
    mean: Any,
    *,
    logvar: Any = None,
    var: Any = None,
    std: Any = None,
    prior: Any = None,
    criterion: str = "information",
) -> Regime:
    """The labels and the verdict for latents (n, D) of n independent inputs, all rows taken together.

    `logvar`, `var` or `std` (n, D), at most one, is the posterior's spread; without one no dimension is called mixed.
    Arrays, or tensors on the CPU. Raises PolarMonitorError for other shapes or a negative variance.

    Example:
        >>> import numpy as np, polar_monitor
        >>> rng = np.random.default_rng(0)
        >>> mean = rng.normal(size=(4096, 2)) * [1.0, 0.01]
        >>> regime = polar_monitor.classify(mean, var=np.full((4096, 2), [0.02, 1.0]))
        >>> [str(label) for label in regime.labels], str(regime.verdict)
        (['active', 'passive'], 'polarised')
    """
    from .stream import LatentStream

    kind, given = one_spread(logvar, var, std)
    rows = _rows("mean", mean)
    variance = None
    if kind is not None:
        spread = _rows(kind, given)
        if spread.shape != rows.shape:
            raise PolarMonitorError(f"{kind}: expected shape {rows.shape}, got {spread.shape}")
        if kind != "logvar" and (spread < 0).any():
            raise PolarMonitorError(
                f"{kind}: expected values of 0 or more, got {spread.min():.3g}: is it a log-variance?"
            )
        variance = to_variance(spread, kind)
    window = max(512, -(-len(rows) // 16) * 16)
    stream = LatentStream(rows.shape[1], window=window, has_variance=variance is not None, prior=checked_prior(prior))
    stream.update(rows, variance)
    return judge(stream.snapshot(step=0), None, criterion)


def _rows(word: str, value: Any) -> NDArray[np.float32]:
    rows, _ = as_array(word, value)
    if rows.ndim != 2 or 0 in rows.shape:
        raise PolarMonitorError(f"{word}: expected shape (n, D) with n and D above 0, got {rows.shape}")
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)
