"""What an estimator returns: a value, how far off it may be, and all that made it hard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

TIED = 0.01
"""Share of tied rows worth a flag: in any sample some values are equal by chance."""
SHOWN = 8
Numbers = Any
"""A number where the rows had shape (n,), an array (D,) where they had shape (n, D)."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate in nats, for each dimension; NaN where there are too few finite rows.

    `float(estimate)` is the value of one dimension, `estimate.interval()` what holds the truth in 95 of 100 cases, and
    `estimate.flags` the names of what was met in any dimension, each also an attribute that says how much of it.
    """

    value: Numbers
    standard_error: Numbers
    rows: Numbers
    """Finite rows that the estimate is from."""
    non_finite: Numbers
    """NaN and ±inf rows, left out."""
    ties: Numbers
    """Share of the rows whose value another row has too; NaN for histograms, which do not see it."""
    atoms: Numbers
    """Share of the rows that sit on values of positive probability: the value is the entropy of the others."""
    floor: Numbers
    """Whether all rows are one value: the value is the entropy of the cell that rounding draws together there."""
    outliers: Numbers
    """At most 8 values at either end, further from the rest than 16 times their range; by `knn` and histograms."""
    coarse: Numbers
    """Whether the bins may not resolve the law, as of a narrow peak in a wide range: the error is a guess then."""
    thinned: int
    """Rows left out, of one block each all but one, to bound time and memory."""

    FLAGS: ClassVar[tuple[str, ...]] = ("non_finite", "ties", "atoms", "floor", "outliers", "coarse", "thinned")

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of what was met in at least one dimension, of `FLAGS`; ties from `TIED` of the rows on."""
        least = {"ties": TIED}
        return tuple(name for name in self.FLAGS if np.any(np.nan_to_num(getattr(self, name)) > least.get(name, 0.0)))

    def interval(self, z: float = 1.96) -> tuple[Numbers, Numbers]:
        """Ends of the confidence interval, value ± z standard errors."""
        return self.value - z * self.standard_error, self.value + z * self.standard_error

    def __float__(self) -> float:
        """The value of one dimension; a TypeError for several."""
        if np.size(self.value) != 1:
            raise TypeError(f"expected an estimate of one dimension, got {np.size(self.value)}: see `value`")
        return float(np.asarray(self.value).item())

    def __str__(self) -> str:
        """Value ± standard error of up to `SHOWN` dimensions, and the flags."""
        values, errors = np.atleast_1d(self.value), np.atleast_1d(self.standard_error)
        said = [f"{value:.4f} ± {error:.4f}" for value, error in zip(values[:SHOWN], errors[:SHOWN], strict=True)]
        if len(values) > SHOWN:
            said.append(f"… {len(values)} dimensions")
        return f"{', '.join(said)} nats" + (f" ({', '.join(self.flags)})" if self.flags else "")

    @classmethod
    def of(cls, found: Mapping[str, Any], flat: bool, thinned: int = 0, **more: Any) -> Self:
        """From arrays (D,) by name, of which what was not looked for is missing; `flat` makes numbers of them."""
        dimensions = len(found["value"])
        values: dict[str, Any] = {"thinned": thinned} | more
        for f in fields(cls):
            if f.name not in values:
                array = found.get(f.name, np.zeros(dimensions, bool if f.name in ("floor", "coarse") else np.int64))
                values[f.name] = array[0].item() if flat else array
        return cls(**values)


@dataclass(frozen=True, eq=False)
class JointEstimate(Estimate):
    """An estimate of several dimensions together: numbers, but for `ties`, `atoms` and `floor` (d,)."""

    lower: float
    upper: float
    """Ends of a bracket: what the estimate may have missed, and two standard errors."""
    bound: float
    """An entropy that the true one does not pass, but for sampling."""
    coordinates: str
    """Where the dependence was estimated: "given", "linear" (independent components) or "radial"."""
    blocks: tuple[tuple[int, ...], ...]
    """Those coordinates, grouped: pairs of different groups pass for independent."""
    beyond_pairs: bool
    """Whether the groups depend on each other after all, as no pair shows; they are not used then."""
    functions: tuple[int, ...]
    """Dimensions that are constant or functions of others: there is no joint density, the value is of the others."""
    thin: bool
    """Whether the rows lie on a surface: there is no joint density, and the value says nothing."""

    FLAGS: ClassVar[tuple[str, ...]] = (*Estimate.FLAGS, "beyond_pairs", "functions", "thin")
