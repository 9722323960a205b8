"""Statistics per dimension: what labels and alerts need at every evaluation, from the window of rows.

One block (statistics, D) holds them all, and kernels fill it: the number of calls depends neither on D nor on the rows.
To add a statistic, call its kernel in `light_statistics` (or in `full_statistics`, if labels do not need it) and add a
field of the same name to `Snapshot`.

Shapes: mean and variance (D, n) float32. group (n,) int32 says which input a row belongs to, or is None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import mixture, posterior, quadrature
from ..kernels.light import dimensions
from ..kernels.repeats import occurrences
from ..kernels.valley import deepest_valleys
from .array_types import F32, Array
from .resolution import relative
from .thresholds import MIXED_SHARE
from .work_space import WorkSpace

MIN_FINITE_ROWS = 32
"""Smallest number of finite rows for an estimate. With fewer it is NaN."""
MAX_CERTIFIED_NATS = 0.01
"""Nats. If I_G is surely at or below this, it is the estimate of the information: between 0 and I_G lies no more."""
MIN_REPEAT_NATS = 0.3
"""Nats. Dimensions with less information do not show which inputs recur."""
CUTS = MIN_FINITE_ROWS, MAX_CERTIFIED_NATS, MIN_REPEAT_NATS, MIXED_SHARE
"""The first cuts of `dimensions.choose`, in its order."""
NAMES = dimensions.NAMES
"""Names of the rows of `WorkSpace.block`; the last, "rows", are the finite rows of a dimension."""
VARIANCE = posterior.NAMES.index("variance")


def light_statistics(
    mean: F32,
    variance: F32 | None,
    group: NDArray[np.int32] | None,
    prior_mean: Array | float,
    prior_var: Array | float,
    resolution: float | None = None,
    work: WorkSpace | None = None,
) -> dict[str, Any]:
    """Compute what labels and alerts need, by the names of `Snapshot`, and `rows`, the finite rows of a dimension.

    The arrays are rows of the block of `work`, so the next call with the same one changes them.
    """
    work = WorkSpace(*mean.shape) if work is None else work
    block, has_variance = work.block, variance is not None
    spread = mixture.NO_ROWS if variance is None else variance
    bits, ids = work.bits_of(spread), mixture.NO_GROUP if group is None else group
    work.prior[0], work.prior[1] = prior_mean, prior_var
    posterior.describe(mean, spread, bits, ids, work.prior, work.room, work.room_bits, work.logs, work.part, work.table)
    tau = math.nan
    if variance is None:
        tau = relative(work.table[:, VARIANCE]) if resolution is None else resolution
    cuts = (*CUTS, (quadrature.STEP * quadrature.NODES) ** 2)
    near, far, sides, several = dimensions.choose(
        work.table, has_variance, tau, cuts, block, work.described, work.notes, work.lists, work.result
    )
    repeats = 1.0
    if several:
        order = work.notes[dimensions.KEY].argsort(kind="stable")[:several]
        repeats = occurrences(mean, variance, order, work.notes[dimensions.LARGEST], tau, group)
    if near or far:
        _information(mean, spread, bits, ids, work, (near, far), tau, 1.0 / repeats)
    two = work.lists[dimensions.SIDES, :sides]
    if sides:
        place, total = work.places[0, : mean.shape[1]], work.notes[dimensions.TOTAL]
        deepest_valleys(mean, spread, bits, total, ids, MIXED_SHARE, repeats, two, place, work.depths)
    dimensions.gather(block, work.notes, work.result, work.depths, two, has_variance, repeats)
    statistics: dict[str, Any] = dict(zip(NAMES, block, strict=True))
    del statistics["non_finite"]  # since the beginning: not of this window
    return statistics | {"resolution": tau, "repeats": repeats}


def _information(
    mean: F32,
    spread: F32,
    bits: NDArray[np.int32],
    ids: NDArray[np.int32],
    work: WorkSpace,
    count: tuple[int, int],
    tau: float,
    distinct: float,
) -> None:
    """Put the information of the chosen dimensions, and its error, into `work.result`."""
    if spread.size == 0:
        if not mixture.MIN_SCALE < tau < 1.0 / mixture.MIN_SCALE:
            _information_at_an_extreme_scale(mean, ids, work, count, tau, distinct)
            return
        spread = np.full((1, mean.shape[1]), tau * tau, np.float32)
        bits = spread.view(np.int32)
    for which, ordered in ((work.lists[0, : count[0]], False), (work.lists[1, : count[1]], True)):
        if which.size:
            order = mean[which].argsort(axis=1) if ordered else mixture.NO_ORDER
            quadrature.quadrature(
                mean, spread, bits, distinct, work.described, which, which, order, ids, work.places, work.cells,
                work.packed, work.nodes(ordered), work.segments, work.numbers, work.counters, mixture.NO_TERMS,
                work.result,
            )  # fmt: skip


def _information_at_an_extreme_scale(
    mean: F32, ids: NDArray[np.int32], work: WorkSpace, count: tuple[int, int], tau: float, distinct: float
) -> None:
    """Do so where the square of τ may be no float32."""
    which = np.concatenate([work.lists[0, : count[0]], work.lists[1, : count[1]]])
    rows = mixture.Rows(mean, None, ids if ids.size else None, np.ascontiguousarray(work.table.T))
    estimates = mixture.information_of_rows(rows, which, tau=tau, distinct=distinct)
    work.result[which, 0], work.result[which, 1] = estimates
