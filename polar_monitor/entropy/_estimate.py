"""Result of an estimator: a value, its standard error, and flags for data that is difficult to estimate from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

MIN_TIES_FLAGGED = 0.01
"""Smallest share of tied rows that sets a flag: in any sample some values are equal by chance."""
MAX_SHOWN = 8
"""Largest number of dimensions that `str` shows."""
Numbers = Any
"""A number where the rows had shape (n,), an array (D,) where they had shape (n, D)."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate in nats, for each dimension; NaN for too few finite rows.

    `float(estimate)` is the value of one dimension. `estimate.interval()` covers the truth in 95 of 100 cases.
    `estimate.flags` lists the difficulties that any dimension has. Each is also an attribute that gives the amount.
    """

    value: Numbers
    standard_error: Numbers
    rows: Numbers
    """Number of finite rows that the estimate uses."""
    non_finite: Numbers
    """Number of rows with NaN or ±inf, which are left out."""
    ties: Numbers
    """Share of the rows whose value another row has too; NaN for histograms, which cannot see it."""
    atoms: Numbers
    """Share of the rows on values of positive probability. The value is the entropy of the other rows."""
    floor: Numbers
    """True if all rows are one value. The entropy is then that of the rounding cell around it."""
    outliers: Numbers
    """Number of values, at most 8 at either end, that are further from the rest than 16 times the range of the rest.
    Only `knn` and histograms count them."""
    coarse: Numbers
    """True if the bins may be too wide for the density, as for a narrow peak in a wide range: the error is a guess."""
    thinned: int
    """Number of rows left out to bound time and memory: each block of rows keeps one."""

    FLAGS: ClassVar[tuple[str, ...]] = (
        "non_finite", "ties", "atoms", "floor", "outliers", "coarse", "thinned", "too_few"
    )  # fmt: skip

    @property
    def too_few(self) -> Numbers:
        """True if the value or its error is NaN because too few finite rows, off atoms, are left to estimate it."""
        few = (np.isnan(self.value) | np.isnan(self.standard_error)) & ~np.asarray(self.floor, bool)
        return bool(few) if np.ndim(few) == 0 else few

    @property
    def flags(self) -> tuple[str, ...]:
        """Names from `FLAGS` that apply to at least one dimension; ties count from `MIN_TIES_FLAGGED` of the rows."""
        least = {"ties": MIN_TIES_FLAGGED}
        return tuple(name for name in self.FLAGS if np.any(np.nan_to_num(getattr(self, name)) > least.get(name, 0.0)))

    def interval(self, z: float = 1.96) -> tuple[Numbers, Numbers]:
        """Return the ends of the confidence interval: value ± z standard errors."""
        return self.value - z * self.standard_error, self.value + z * self.standard_error

    def __float__(self) -> float:
        """Return the value of one dimension. Raises TypeError for several."""
        if np.size(self.value) != 1:
            raise TypeError(f"expected an estimate of one dimension, got {np.size(self.value)}: see `value`")
        return float(np.asarray(self.value).item())

    def __str__(self) -> str:
        """Return value ± standard error of up to `MAX_SHOWN` dimensions, and the flags."""
        values, errors = np.atleast_1d(self.value), np.atleast_1d(self.standard_error)
        shown = [
            f"{value:.4f} ± {error:.4f}" for value, error in zip(values[:MAX_SHOWN], errors[:MAX_SHOWN], strict=True)
        ]
        if len(values) > MAX_SHOWN:
            shown.append(f"… {len(values)} dimensions")
        return f"{', '.join(shown)} nats" + (f" ({', '.join(self.flags)})" if self.flags else "")

    @classmethod
    def of(cls, results: Mapping[str, Any], flat: bool, thinned: int = 0, **more: Any) -> Self:
        """Build an estimate from arrays (D,) by name. A missing name is 0 or False. `flat` makes them numbers."""
        dimensions = len(results["value"])
        values: dict[str, Any] = {"thinned": thinned} | more
        for f in fields(cls):
            if f.name not in values:
                array = results.get(f.name, np.zeros(dimensions, bool if f.name in ("floor", "coarse") else np.int64))
                values[f.name] = array[0].item() if flat else array
        return cls(**values)


@dataclass(frozen=True, eq=False)
class JointEstimate(Estimate):
    """An estimate of several dimensions together. All fields are numbers except `ties`, `atoms` and `floor` (d,)."""

    lower: float
    upper: float
    """Ends of a bracket: the largest error of the method and two standard errors."""
    bound: float
    """Upper bound of the true entropy, up to sampling error."""
    coordinates: str
    """Coordinates in which the dependence was estimated: "given", "linear" (independent components) or "radial"."""
    blocks: tuple[tuple[int, ...], ...]
    """Groups of these coordinates: pairs of different groups look independent."""
    beyond_pairs: bool
    """True if the groups depend on each other although no pair shows it. The groups are not used then."""
    functions: tuple[int, ...]
    """Dimensions that are constant or functions of others. They have no joint density; the value is of the others."""
    thin: bool
    """True if the rows lie on a surface. There is no joint density then, and the value means nothing."""

    FLAGS: ClassVar[tuple[str, ...]] = (*Estimate.FLAGS, "beyond_pairs", "functions", "thin")
