"""Entropy of several dimensions together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays.columns import columns
from ..arrays.rows import as_rows
from ..errors import PolarMonitorError
from ..kernels.joint import joint as kernels
from ._estimate import JointEstimate
from ._per_dimension import group_ids

MAX_ROWS = 2**15
"""Largest number of rows: the time of the neighbour search grows with their square from six dimensions on."""


def joint(x: Any, *, groups: Any = None, dependent: bool = True) -> JointEstimate:
    """Joint differential entropy of x (n, d): marginals plus copula, in the coordinates with the least dependence.

    It is right if scales differ by orders of magnitude, as in a polarised code; nearest neighbours in the raw space are
    not. A row with a non-finite value is left out, and so is a repeated row. Dimensions that are functions of others
    are named and left out. Rows on other surfaces have no density either, and the value means nothing: `thin` reports
    surfaces in two or three dimensions, but not larger ones. Correlated rows in time widen the error, unless
    `dependent` is False, and so do `groups` (n,). Method and sources: `polar_monitor.kernels.joint.joint`. Raises
    PolarMonitorError.

    Example:
        >>> import numpy as np
        >>> from polar_monitor import entropy
        >>> x = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 0.01, 100.0]
        >>> round(float(entropy.joint(x)), 1)
        4.2
    """
    rows = as_rows("x", x, MAX_ROWS)
    if rows.flat:
        raise PolarMonitorError("x: expected shape (n, d), got (n,): for one dimension, see entropy.knn")
    n, d = rows.values.shape
    finite = np.asarray(np.isfinite(rows.values).all(axis=1))
    ids = None if groups is None else group_ids(groups, rows)[finite]
    order = slice(None) if ids is None else np.argsort(ids, kind="stable")
    together = np.empty((d, int(finite.sum())), np.float32)
    mantissa, log_scales = 23, np.empty(d)
    for part in columns(rows, np.broadcast_to(finite[:, None], (n, d))):
        together[part.which] = part.rows
        mantissa, log_scales[part.which] = min(mantissa, part.mantissa), part.log_scale
    result = kernels.joint(
        np.ascontiguousarray(together[:, order]), None if ids is None else ids[order], mantissa, dependent
    )
    log_scale = float(np.delete(log_scales, result.functions).sum())
    return JointEstimate(
        value=result.value + log_scale,
        standard_error=result.error,
        rows=result.rows,
        non_finite=n - together.shape[1],
        ties=result.ties,
        atoms=result.atoms,
        floor=result.floor,
        outliers=0,
        coarse=False,
        thinned=rows.given - n,
        lower=result.lower + log_scale,
        upper=result.upper + log_scale,
        bound=result.bound + log_scale,
        coordinates=result.coordinates,
        blocks=result.blocks,
        beyond_pairs=result.beyond_pairs,
        functions=result.functions,
        thin=result.thin,
    )
