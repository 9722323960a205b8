"""torchmetrics: the labels of a latent as a metric, merged over processes when it is computed.

`metric = PolarisationMetric(10)`, `metric.update(mean, logvar=logvar)` and `self.log_dict(metric.compute())`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._validation import checked_count
from ..arrays.spread import UNITS, one_spread
from ..errors import PolarMonitorError
from ..offline.classify import classify
from ..regime.label import Label

try:
    from torchmetrics import Metric
except ImportError as missing:
    raise ImportError("PolarisationMetric needs torchmetrics: pip install torchmetrics") from missing


class PolarisationMetric(Metric):  # type: ignore[misc]
    """Counts the dimensions of each label, and sums their information and KL, in nats.

    `latents` is the number of dimensions. `update` takes means (n, latents) and at most one spread of the same shape:
    `logvar=`, `var=`, `std=` or `logstd=`. `compute` gives `active`, `passive`, `mixed`, `undecided` and `information`,
    of the newest `window` rows of each process, as `polar_monitor.classify` gives them, and `kl`, of all rows.

    Each state has a shape that does not change, so a sync is one gather for each of the four: rows are concatenated
    ("cat", NaN where a process has fewer), counts and KL are added ("sum"). A process may have no rows. `**settings`
    are those of `torchmetrics.Metric`.
    """

    full_state_update = True
    """`forward` updates the rows in place; merging them would concatenate."""

    def __init__(self, latents: int, *, window: int = 4096, **settings: Any) -> None:
        super().__init__(**settings)
        self.latents, self.window = checked_count("latents", latents), checked_count("window", window, 512)
        unused = torch.full((self.window, self.latents), torch.nan)
        self.add_state("means", unused, dist_reduce_fx="cat")
        self.add_state("variances", unused.clone(), dist_reduce_fx="cat")
        self.add_state("rows", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("kl", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, mean: Tensor, **spread: Tensor) -> None:
        """Add rows. Raises PolarMonitorError for another shape, and TypeError for another argument."""
        unit, value = one_spread(**spread)
        if unit is not None and unit not in UNITS:
            raise TypeError(f"update: expected one of {', '.join(UNITS)}, got {unit!r}")
        for word, rows in {"mean": mean, **spread}.items():
            if rows.ndim != 2 or rows.shape != (len(mean), self.latents):
                raise PolarMonitorError(f"{word}: expected shape (n, {self.latents}), got {tuple(rows.shape)}")
        mean = mean.detach().to(self.means.dtype)
        variance = torch.full_like(mean, torch.nan)
        if unit is not None:
            variance = UNITS[unit].variance(value.detach().to(mean.dtype), torch)
        first = max(len(mean) - self.window, 0)
        places = (self.rows + torch.arange(first, len(mean), device=mean.device)) % self.window
        self.means[places], self.variances[places] = mean[first:], variance[first:]
        self.rows += len(mean)
        self.kl += 0.5 * (mean.square() + variance - variance.log() - 1).sum()

    def compute(self) -> dict[str, Tensor]:
        """Return the numbers of the rows of all processes. NaN before the first row, and `kl` without a variance."""
        means, variances = (side.reshape(-1, self.latents) for side in (self.means, self.variances))
        used = ~means.isnan().all(1)
        names = [*map(str, Label), "information", "kl"]
        if not used.any():
            return dict.fromkeys(names, self.kl.new_tensor(torch.nan))
        means, variances = means[used], variances[used]
        regime = classify(means, var=None if variances.isnan().all() else variances)
        assert regime.snapshot is not None
        information = float(regime.snapshot.information.sum())
        numbers = [*(float(regime.labels.count(label)) for label in Label), information]
        return dict(zip(names, [*map(self.kl.new_tensor, numbers), self.kl / self.rows], strict=True))
