"""Statistics of every latent dimension at one step.

Units are nats. Every per-dimension array is float64 of shape (D,). A statistic that cannot be estimated (no variance
representation, too few rows, a dimension without a finite value) is NaN.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.finite_json import finite_json
from .array_types import Array as Array


@dataclass(frozen=True)
class Histogram:
    """Counts of one dimension's mean representation: bin i covers [left + i·width, left + (i+1)·width)."""

    left: float
    width: float
    counts: NDArray[np.int64]
    low: float
    high: float


DRAWN = ("histograms", "log_variance_histograms")
"""Fields of `Snapshot` that hold histograms, which are there for drawing alone."""
UNKNOWN: Array = np.empty(0)
"""The mark of a missing statistic; `Snapshot` makes it NaN in every dimension."""


def _unknown() -> Array:
    return UNKNOWN


@functools.lru_cache(maxsize=16)
def unknown(dimensions: int) -> Array:
    """Return the array of a missing statistic: NaN in every dimension. All snapshots share it, so it is read-only."""
    array = np.full(dimensions, np.nan)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False, kw_only=True)
class Snapshot:
    """Statistics of the last `n` rows (the window). A name with `_se` is the standard error of the name before it.

    Let μ and σ² be a dimension's posterior mean and variance for an input, V = Var μ, E = mean σ², L = mean log σ².
    `mean_*` arrays have shape (D,). Sources: Burda et al. 2016 (active units), Hoffman & Johnson 2016 (the rate and
    its mutual information), and the derivations on the page "What is measured" of the documentation.
    """

    step: int
    """Optimiser steps at the time of the snapshot."""
    rows: int
    """Rows seen since the beginning, in this mode."""
    n: int
    """Rows in the window."""
    independent: int
    """Independent rows in the window: images, where a latent is spatial and one image gives many rows."""
    has_variance: bool
    """True if there is a posterior variance. Without one, `information` is the entropy resolved at `resolution`."""
    resolution: float
    """τ, the noise at which the mean representation is resolved when there is no variance; NaN otherwise."""

    mean: Array
    """Mean of μ."""
    variance: Array
    """V, the variance of μ (ddof 0)."""
    posterior_variance: Array
    """E, the mean of σ²."""
    posterior_variance_spread: Array
    """Var σ² over the inputs (ddof 0)."""
    log_variance: Array
    """L, the mean of log σ²."""

    entropy_knn: Array = field(default_factory=_unknown)
    """Differential entropy h(μ) by Kozachenko-Leonenko on the window."""
    entropy_knn_se: Array = field(default_factory=_unknown)
    entropy_hist: Array = field(default_factory=_unknown)
    """Differential entropy h(μ) by the online histogram."""
    entropy_hist_se: Array = field(default_factory=_unknown)
    information: Array
    """I(x; z_j) = h(z_j) − ½(log 2πe + L), by quadrature of the window's mixture; in [0, log n]."""
    information_se: Array
    information_upper: Array
    """I_G = ½ log(V + E) − ½ L ≥ I(x; z_j), with equality for a Gaussian aggregate posterior."""
    information_upper_se: Array
    variance_gap: Array
    """D = ½(log E − L) ≥ 0: zero exactly when σ² is the same for every input."""
    variance_gap_se: Array
    reliability: Array
    """r = V / (V + E), in [0, 1]."""
    reliability_se: Array
    share_active: Array
    """Share of the inputs with σ² / (V + E) ≤ ½."""
    share_active_se: Array
    share_passive: Array
    """Share of the inputs with σ² / (V + E) ≥ 0.7."""
    share_passive_se: Array
    kl: Array
    """Mean KL(q(z_j | x) ‖ prior)."""
    kl_se: Array

    max_correlation: Array = field(default_factory=_unknown)
    """Largest |correlation| of μ_j with another dimension's mean."""
    max_correlation_sampled: Array = field(default_factory=_unknown)
    """Largest |correlation| of z_j = μ_j + σ_j ε with another dimension's sample."""
    ties: Array = field(default_factory=_unknown)
    """Share of the window's rows whose value occurs more than once."""
    non_finite: Array
    """Rows with a NaN or ±inf in this dimension since the beginning."""

    joint_entropy: float = math.nan
    """Differential entropy of the block of dimensions that carry information, jointly; NaN where there is none."""
    joint_entropy_se: float = math.nan
    effective_rank: float = math.nan
    """exp of the entropy of the normalised spectrum of Cov μ (Roy & Vetterli 2007)."""

    valley: Array = field(default_factory=_unknown)
    """Rows in the valley that separates two kinds of inputs in the histogram of log σ², divided by the rows in the
    smaller of its two peaks. In [0, 1]: 1 if there is no valley, or if one kind is less than 5 % of the inputs. Logs of
    older versions lack this field and those below, which are NaN then."""
    valley_se: Array = field(default_factory=_unknown)
    upper_kind: Array = field(default_factory=_unknown)
    """σ² / (V + E) of the inputs above a valley of a factor 4 that is surely nearly empty, with 5 % of the inputs on
    either side: their geometric mean. NaN without such a valley."""
    upper_kind_se: Array = field(default_factory=_unknown)
    finite: Array = field(default_factory=_unknown)
    """Independent rows of the window that are finite in this dimension."""
    surplus: float = math.nan
    """Dimensions in use minus the directions that they vary in: 0 for a code that is aligned with its axes. NaN with a
    variance, with no dimension in use, and with too few rows for the number of dimensions."""

    mean_largest: Array = field(default_factory=_unknown)
    """Largest |μ|. Only published criteria use this field and those below."""
    entropy_minmax: Array = field(default_factory=_unknown)
    """Shannon entropy of μ over 30 equal bins between its least and its largest value, in [0, log 30]."""
    posterior_deviation: Array = field(default_factory=_unknown)
    """Mean of σ."""
    share_narrow: Array = field(default_factory=_unknown)
    """Share of the inputs with σ < ½."""
    share_standard: Array = field(default_factory=_unknown)
    """Share of the inputs with |σ − 1| ≤ 0.1 and |μ| ≤ 0.1."""
    share_collapsed: Array = field(default_factory=_unknown)
    """Share of the inputs with KL(q(z_j | x) ‖ prior) < 0.01 nats."""

    drift: Array = field(default_factory=_unknown)
    """Standard deviation of the steps' means of μ over the window, beyond that of samples: the weights have moved it.
    Without a variance it is no part of `variance`, which is that within the steps. NaN for fewer than two steps with 16
    inputs or more."""
    drift_se: Array = field(default_factory=_unknown)
    gain: Array = field(default_factory=_unknown)
    """g, the change of the decoder's output per change of the code. With it `resolution` is τ in units of the output,
    and that of a dimension is τ / g. NaN without a decoder; 0 where the decoder ignores the code altogether."""
    effect: float = math.nan
    """½ E‖dec(z′) − dec(z)‖² for codes z, z′ of two inputs, as a share of the variance of the data: below 10⁻⁴ the
    decoder ignores the code. NaN without a decoder."""
    effect_se: float = math.nan
    explained: float = math.nan
    """Share by which the reconstruction term is below the baseline, where the loop logs both and no decoder is known:
    below 1 % the code explains nothing. NaN elsewhere."""

    full: bool = True
    """False for a light snapshot, which has what labels and alerts need. The entropies, `ties`, the correlations,
    `joint_entropy`, `effective_rank`, the fields that only published criteria use and histograms are missing then."""
    repeats: float = 1.0
    """Inputs of the window divided by the different ones among them; `independent`, `finite` and all errors rest on it.
    Inputs recur, as in a second epoch, if means and variances agree within the posterior's noise."""
    rows_from: int = -1
    """Optimiser step at which the oldest row of the window was recorded; -1 if it is not known, as in older logs."""
    rows_to: int = -1
    """Optimiser step at which the newest row of the window was recorded."""
    covered: int = -1
    """Dimensions that have the entropies, `ties` and correlations, and from which the rank comes. In a wide latent they
    are those with most information, and 32 with least. -1 in a light snapshot, and in older logs."""
    histograms: Sequence[Histogram] = field(default=(), repr=False)
    """Online histograms, for drawing; not part of `to_dict`."""
    log_variance_histograms: Sequence[Histogram] = field(default=(), repr=False)
    """Histograms of log σ² over the window, for drawing, of the 64 dimensions with most information; the others are
    empty. Not part of `to_dict`; () without a variance, and in a light snapshot."""

    def __post_init__(self) -> None:
        values = vars(self)
        missing = [name for name in OPTIONAL if not values[name].size]
        if missing:
            values |= dict.fromkeys(missing, unknown(self.dimensions))

    @classmethod
    def light(cls, arrays: Mapping[str, Array], **numbers: Any) -> Snapshot:
        """Return a light snapshot of some statistics and numbers by name; the others are not known.

        It is made at each evaluation, which the constructor with its many fields would take a good part of.
        """
        snapshot = object.__new__(cls)
        missing = dict.fromkeys(OPTIONAL, unknown(len(arrays["mean"])))
        vars(snapshot).update(DEFAULTS | missing | numbers | {"full": False})
        vars(snapshot).update(arrays)
        return snapshot

    def __repr__(self) -> str:
        """Describe the snapshot in a line; the arrays are its attributes, and `to_dict` has them all."""
        kind = "all statistics" if self.full else "light"
        total = float(np.nansum(self.information))
        return f"<Snapshot of step {self.step}: {self.dimensions} dimensions, {self.n} rows, {total:.3g} nats, {kind}>"

    @property
    def drift_share(self) -> tuple[Array, Array]:
        """`drift` and its error in standard deviations of a dimension: √(V + E), or √V without a variance."""
        spread = np.sqrt(self.variance + self.posterior_variance if self.has_variance else self.variance)
        spread = np.where(spread > 0, spread, math.nan)
        return self.drift / spread, self.drift_se / spread

    @property
    def dimensions(self) -> int:
        """Number D of latent dimensions."""
        return int(self.mean.shape[0])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists for JSON, with None for NaN and ±inf. Histograms are left out."""
        return {f.name: finite_json(getattr(self, f.name)) for f in fields(self) if f.name not in DRAWN}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        """Read what `to_dict` returns. Raises KeyError for a missing name and ignores unknown ones.

        A field that logs of older versions lack may be missing: it is NaN.
        """
        values: dict[str, Any] = {}
        for f in fields(cls):
            optional = f.default is not MISSING or f.default_factory is not MISSING
            if f.name in DRAWN or (optional and f.name not in data):
                continue
            value = data[f.name]
            match f.type:
                case "Array":
                    listed = isinstance(value, list)
                    numbers = [math.nan if v is None else v for v in value] if listed else value
                    values[f.name] = np.asarray(numbers, dtype=np.float64)
                case "float":
                    values[f.name] = math.nan if value is None else float(value)
                case "bool":
                    values[f.name] = bool(value)
                case _:
                    values[f.name] = int(value)
        return cls(**values)


OPTIONAL = tuple(f.name for f in fields(Snapshot) if f.default_factory is _unknown)
"""Statistics of the dimensions that may be missing: NaN then."""
DEFAULTS = {f.name: f.default for f in fields(Snapshot) if f.default is not MISSING}
