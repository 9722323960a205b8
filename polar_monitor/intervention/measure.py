"""Measurement of the worth of each dimension, for any forward from a code to an output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..capture.output_rows import MANTISSA, rows_of
from ..errors import PolarMonitorError
from ..regime.label import Label
from .replacements import Latent, Replacements
from .row_loss import RowLoss
from .worth import F64, MAX_VARIANCE, Worth, mean_and_error

MIN_ROWS = 16
"""Inputs below which no error can be stated."""
Forward = Callable[[Any], Any]


class Judged(NamedTuple):
    """Information and label of each dimension of a batch."""

    information: F64
    information_se: F64
    labels: tuple[Label, ...]


def measured(
    forward: Forward,
    latent: Latent,
    row_loss: Callable[[Any, Any], RowLoss],
    replace: Sequence[str],
    *,
    judged: Judged,
    seed: int = 0,
    where: str = "",
) -> Worth:
    """Return the worth of each dimension; `row_loss` makes the loss from the undisturbed output and the order of rows.

    Call it inside the `undisturbed()` of the forward. Raises PolarMonitorError for too few rows or a loss that is not
    finite.
    """
    if latent.rows < MIN_ROWS:
        raise PolarMonitorError(f"batch: expected at least {MIN_ROWS} inputs for a standard error, got {latent.rows}")
    replacements, dimensions = Replacements(latent, seed), latent.dimensions
    output = forward(latent.code)
    losses = row_loss(output, replacements.order)
    before = losses(output)
    if not np.isfinite(before).all():
        bad = int((~np.isfinite(before)).sum())
        raise PolarMonitorError(f"loss: expected finite numbers, got NaN or infinity for {bad} of {len(before)}")

    def rise(code: Any, dependent: bool = True) -> tuple[float, float]:
        return mean_and_error((losses(forward(code)) - before)[losses.order], dependent)

    if latent.sigma is None and "row" in replace:  # a draw of the marginal is the code of another row then
        replace = [how for how in replace if how != "marginal"]
    by = {}
    for how in replace:
        pairs = [rise(replacements.replaced(how, j), how != "mean") for j in range(dimensions)]
        by[how] = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    sigma, ratio, ratio_se = (np.full(dimensions, np.nan) for _ in range(3))
    if latent.sigma is not None:
        squares = latent.sigma.double().square()
        sigma = np.array([float(latent.column(squares, j).mean()) ** 0.5 for j in range(dimensions)])
        places = latent.code[0].numel() / dimensions if latent.letters[0] == "n" else 1.0
        for j in np.flatnonzero(sigma**2 <= MAX_VARIANCE).tolist() if losses.unit == "nats" and places == 1 else ():
            higher, lower = (losses(forward(replacements.shifted(j, side))) for side in (1.0, -1.0))
            bend, bend_se = mean_and_error(higher + lower - 2 * before, dependent=False)
            if (square := sigma[j] ** 2 + bend) > 0:  # σ² (1 + h), which is 1 at the optimum
                ratio[j], ratio_se[j] = square**0.5, bend_se / (2 * square**0.5)
    loss, total = mean_and_error(before, dependent=False), rise(replacements.exchanged())
    return Worth(
        losses.unit, losses.measure, latent.rows, *loss, *total, by, judged.information, judged.information_se,
        sigma, ratio, ratio_se, judged.labels, where=where,
    )  # fmt: skip


def judge_latent(latent: Latent) -> Judged:
    """Return the information of a latent with a variance and its labels, as `classify` gives them; NaN without one."""
    unknown = np.full(latent.dimensions, np.nan)
    if latent.sigma is None or latent.mean is None:
        return Judged(unknown, unknown, ())
    from ..regime.judge import judge
    from ..statistics.stream import LatentStream

    mean, sigma = (rows_of(side.detach(), latent.letters) for side in (latent.mean, latent.sigma))
    per = 1 if mean.dim() == 2 else mean.shape[1]
    rows, spread = (side.reshape(-1, latent.dimensions).float().cpu().numpy() for side in (mean, sigma))
    stream = LatentStream(latent.dimensions, window=max(512, -(-len(rows) // 16) * 16))
    stream.update(rows, np.square(spread), per, MANTISSA.get(latent.mean.dtype, 23))
    snapshot = stream.snapshot(step=0)
    return Judged(snapshot.information, snapshot.information_se, judge(snapshot).labels)
