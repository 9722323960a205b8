"""Which dimensions a trained model uses, and for which inputs: judged from interventions alone.

Nothing here comes from the estimators of the library. What it shares with the library's rule is the definition of
mixed: at least 5 % of the inputs on either side, and two kinds of inputs, which here is judged by their own rises.

**Unit.** A VAE's objective prices information: near an optimum the curvature H of the reconstruction loss along z_j and
the posterior variance obey σ² = β / (H + β), and replacing z_j by an independent draw costs about H, so that a rise is
measured in units of β; in a linear VAE the information is exactly ½ log(1 + rise / β). A rise of 0.105 β is worth 0.05
nats, one of 0.35 β 0.15 nats. Autoencoders have no price; their unit is 5 % of the rise when the whole code is replaced
(or of 1 % of the loss, if that is more: then the code as a whole does nothing).

**Use.** A dimension is in use if its mean rise is surely above `USED` = 0.2 units: 0.09 nats for a VAE, 1 % of what
the whole code explains for an autoencoder. "Surely" is the 95 % confidence bound over inputs, paired.

**Use by an input.** An input surely uses a dimension if its own rise is at least `USED_BY` = 1 unit, and surely does
not if it is at most 0.2. A dimension in use is *mixed* if both kinds are surely at least 5 % of the inputs, and if its
inputs are of two kinds at all: surely fewer lie between the two cuts than on either side of them. The second condition
matters for weak dimensions that all inputs use alike. There the rise depends on where an input lies: in a linear VAE
it is h / (2 + 2h) · (h + (h + 2) χ²), h the mean rise, χ the standardised coordinate, which for h = 0.6 puts 33 % of
the inputs below the one cut, 18 % above the other, and 49 % between: a skewed dimension, not a mixed one. Where the
sample leaves it open whether a dimension is mixed, it is *unclear*; otherwise it is *active*. If surely 95 % of the
inputs do not use a dimension it is *passive*, whatever the few others make of its mean. Autoencoders have no mixed
dimensions: without a price no input has to leave one alone, so that shares say how strongly it depends on it, not
whether.

**How the cuts were chosen.** From where pooled rises are rare. Few dimensions of the VAEs lie between 0.1 and 0.8 β,
none of the autoencoders between 0.05 and 0.8 units; rises of single inputs, counted per factor of two, are rarest
between 0.2 and 0.8 β. Half the cuts give about 3 % of the dimensions another label, twice the cuts 2 %; about 1 %
change between passive and in use. `python -m bench.regimes.sensitivity` prints all this for any set of records.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Z = 1.96
USED = 0.2
"""Units: the mean rise of a dimension in use, and the most that an input's may be that does not use it."""
USED_BY = 1.0
"""Units: the least rise of an input that uses a dimension."""
SHARE = 0.05
"""Share of the inputs that must surely be on either side in a mixed dimension."""
PART = 0.05
"""Unit of an autoencoder, as a part of what its whole code explains."""
MIN_LOSS_SHARE = 0.01
"""What a code must explain to be one, as a part of the loss."""


def unit(price: float, rise_all: float, loss: float) -> float:
    """What rises are measured by: the price of a nat, or for autoencoders (price NaN) a part of what the code tells."""
    return PART * max(rise_all, MIN_LOSS_SHARE * abs(loss)) if math.isnan(price) else price


def mean_and_error(rows: NDArray[np.floating]) -> tuple[Float64, Float64]:
    """Mean over inputs (m, …) and its standard error."""
    wide = np.asarray(rows, np.float64)
    return wide.mean(0), wide.std(0, ddof=1) / math.sqrt(len(wide))


def share_in_use(rows: NDArray[np.floating], unit: float, factor: float = 1.0) -> tuple[Float64, Float64, Float64]:
    """Share of inputs that use each dimension, and its bounds, for rises (m, D): (D,) each.

    The share is cut at the geometric mean of the two cuts. The bounds count inputs in between on neither side: from
    below the Wilson bound (95 %) of those that surely use it, from above that of those that surely do not. All cuts are
    multiplied by `factor`.
    """
    low, high = factor * USED * unit, factor * USED_BY * unit
    surely, surely_not = (rows >= high).mean(0), (rows <= low).mean(0)
    middle = (rows >= math.sqrt(low * high)).mean(0)
    return middle, wilson(surely, len(rows))[0], 1.0 - wilson(surely_not, len(rows))[0]


def importance(rise_mean: Float64, rise_all_mean: float) -> Float64:
    """Explained reconstruction as Least Volume measures it (D,): rises by mean over that of all; NaN without any."""
    return np.maximum(rise_mean, 0.0) / rise_all_mean if rise_all_mean > 0 else np.full(rise_mean.shape, math.nan)


def labels(
    rows: NDArray[np.floating], unit: float, *, mixed: bool = True, factor: float = 1.0, two_kinds: bool = True
) -> tuple[str, ...]:
    """The label of each dimension of rises (m, D), "mixed" only if `mixed`; all cuts are multiplied by `factor`.

    Without `two_kinds` 5 % of the inputs on either side make a mixed dimension, however many lie between.
    """
    n, cut = len(rows), factor * USED * unit
    mean, error = mean_and_error(rows)
    unused, used = (rows <= cut).mean(0), (rows >= factor * USED_BY * unit).mean(0)
    found = np.full(rows.shape[1], "unclear", dtype="<U7")
    in_use = mean - Z * error >= cut
    found[in_use] = "active"
    if mixed:
        least, between = np.minimum(unused, used), 1.0 - unused - used
        gap, gap_error = least - between, np.sqrt(np.maximum(least + between - (least - between) ** 2, 0.0) / n)
        if not two_kinds:
            gap, gap_error = np.ones_like(gap), np.zeros_like(gap)
        low, high = wilson(least, n)
        found[in_use & (high >= SHARE) & (gap + Z * gap_error > 0)] = "unclear"
        found[in_use & (low >= SHARE) & (gap - Z * gap_error > 0)] = "mixed"
        found[wilson(unused, n)[0] >= 1.0 - SHARE] = "passive"
    found[mean + Z * error <= cut] = "passive"
    return tuple(found.tolist())


def in_use(rise: Float64, error: Float64, unit: float) -> tuple[str, ...]:
    """Of mean rises (D,) with their errors: "active", "passive", or "unclear"; without single inputs none is mixed."""
    sure = np.where(rise - Z * error >= USED * unit, "active", "unclear")
    return tuple(np.where(rise + Z * error <= USED * unit, "passive", sure).tolist())


def verdict(rows: NDArray[np.floating], unit: float, *, mixed: bool = True) -> str:
    """One of "none used", "all used", "two groups"; "graded" where half or twice the cuts find others to be passive."""
    less, ours, more = (
        np.array([label == "passive" for label in labels(rows, unit, mixed=mixed, factor=factor)])
        for factor in (0.5, 1.0, 2.0)
    )
    if (less != ours).any() or (more != ours).any():
        return "graded"
    if ours.all():
        return "none used"
    return "two groups" if ours.any() else "all used"


def wilson(share: Float64, n: int) -> tuple[Float64, Float64]:
    """The 95 % bounds of a share found among n inputs (Wilson 1927)."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    width = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return centre - width, centre + width
