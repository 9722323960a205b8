"""The worth of each dimension: the rise of the loss when it is replaced, with a standard error over rows.

Where the loss is in nats, the worth W has a counterpart in the unit of the information. In a linear VAE at its optimum
I = ½ log(1 + W) for a replacement by a draw of the marginal (Lucas et al. 2019), so ½ log(1 + W) is called the nats
that the decoder uses. If it is surely below the cut of the passive label while the dimension is informative, the
decoder does not use what the encoder sends: a powerful decoder, not a dead dimension.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..regime.label import INFORMATIVE_LABELS, Label
from ..statistics.thresholds import INFORMATIVE, PASSIVE, Z
from .replacements import WORDS
from .report import sentences, table

F64 = NDArray[np.float64]
MIN_SHARE, USED_SHARE = 0.01, 0.05
"""Shares of the worth of the complete code below which a dimension is worth nothing, and above which it is used."""
MAX_VARIANCE = 0.5
"""Mean σ² above which a dimension has no second opinion on σ: its prior decides there, not the decoder."""


@dataclass(frozen=True, eq=False)
class Worth:
    """Worth of each dimension of a latent, measured on one batch. Arrays have one number for each dimension."""

    unit: str
    """Unit of the loss: "nats", or the caller's."""
    measure: str
    """The loss in words."""
    rows: int
    """Inputs in the batch."""
    loss: float
    """Mean loss with nothing replaced."""
    loss_se: float
    total: float
    """Rise of the loss when the complete code is that of another row."""
    total_se: float
    by: Mapping[str, tuple[F64, F64]]
    """Rise of the loss and its standard error, by the name of the replacement: "marginal", "row", "mean"."""
    information: F64
    """Information of the latent in this batch, nats; NaN where it is not known."""
    information_se: F64
    sigma: F64
    """The encoder's σ, √E σ²; NaN without one."""
    sigma_ratio: F64
    """The encoder's σ over the one that the decoder's curvature asks for; NaN where that is not known."""
    sigma_ratio_se: F64
    labels: tuple[Label, ...] = ()
    """Labels by the information of this batch; where it does not decide, a monitor puts those of the training."""
    step: int | None = None
    """Step of the training; None without a monitor."""
    where: str = field(default="", compare=False)
    """The latent in words."""

    @property
    def how(self) -> str:
        """Name of the replacement that `worth` is of."""
        return next(name for name in WORDS if name in self.by)

    @property
    def worth(self) -> F64:
        """Rise of the loss when each dimension is replaced."""
        return self.by[self.how][0]

    @property
    def worth_se(self) -> F64:
        """Standard error of `worth`."""
        return self.by[self.how][1]

    @property
    def used(self) -> F64:
        """Nats that the decoder uses, ½ log(1 + worth); NaN where the loss is not in nats."""
        return used_of(self.worth) if self.in_nats else np.full(len(self.worth), np.nan)

    @property
    def in_nats(self) -> bool:
        """True if the loss is in nats."""
        return self.unit == "nats"

    @property
    def decoder_sigma(self) -> F64:
        """σ that the decoder's curvature asks for."""
        return self.sigma / self.sigma_ratio

    @property
    def ignored(self) -> tuple[int, ...]:
        """Informative dimensions that the decoder surely does not use."""
        high = self.worth + Z * self.worth_se
        share = USED_SHARE if self.in_nats else MIN_SHARE
        unused = (high <= share * self.total) | (self.total + Z * self.total_se <= MIN_SHARE * abs(self.loss))
        if self.in_nats:
            unused &= used_of(high) <= PASSIVE
        return self._with(unused & ~(self.information + Z * self.information_se < INFORMATIVE), INFORMATIVE_LABELS)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Passive dimensions that the decoder surely uses."""
        low = self.worth - Z * self.worth_se
        used = (low > 0) & (low >= (MIN_SHARE if self.in_nats else USED_SHARE) * self.total)
        if self.in_nats:
            used &= used_of(low) >= INFORMATIVE
        return self._with(used & ~(self.information - Z * self.information_se > PASSIVE), (Label.PASSIVE,))

    def _with(self, which: NDArray[np.bool_], labels: Sequence[Label]) -> tuple[int, ...]:
        return tuple(j for j, label in enumerate(self.labels) if label in labels and which[j])

    def to_dict(self) -> dict[str, Any]:
        """Return what a log contains: plain data of six digits, and the sentences."""
        data = {"step": self.step, "unit": self.unit, "how": self.how, "rows": self.rows}
        single = {"loss": self.loss, "total": self.total, "total_se": self.total_se}
        arrays = {"worth": self.worth, "worth_se": self.worth_se, "sigma_ratio": self.sigma_ratio}
        shown = {name: float(f"{value:.6g}") for name, value in single.items()}
        lists = {
            name: [float(f"{value:.6g}") for value in values.tolist()]
            for name, values in arrays.items()
            if np.isfinite(values).any()
        }
        contradictions = list(self.sentences())
        return {**data, **shown, **lists, **({"sentences": contradictions} if contradictions else {})}

    def __str__(self) -> str:
        return table(self)

    def sentences(self) -> Iterator[str]:
        """Yield a plain sentence for each thing in which the worth contradicts the information, or σ the decoder."""
        yield from sentences(self)


def used_of(worth: F64) -> F64:
    """Return ½ log(1 + W), 0 for a worth below 0."""
    used: F64 = 0.5 * np.log1p(np.maximum(worth, 0.0))
    return used


def mean_and_error(rises: F64, dependent: bool) -> tuple[float, float]:
    """Return the mean of paired rises of the loss, and its standard error.

    If `dependent`, the rises are in the order of a cycle in which each row got its replacement from the next one.
    Neighbours then share a row, and no others do: the variance of the mean is (γ₀ + 2 γ₁) / n.
    """
    n = len(rises)
    center = rises - rises.mean()
    variance = float(center @ center) / max(n - 1, 1)
    if dependent and n > 2:
        variance = max(variance, variance + 2 * float(center @ np.roll(center, -1)) / (n - 1))
    return float(rises.mean()), (variance / n) ** 0.5
