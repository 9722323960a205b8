"""Conditional priors: the latents of an identifiable VAE, in units of the prior that each row has.

The prior of an iVAE is N(μp(u), σp²(u)) with an auxiliary variable u (Khemakhem et al. 2020). A dimension that carries
nothing beyond u follows its prior: its mean varies, and its variance may, though the input adds no information. In
units of the prior, μ̃ = (μ − μp) / σp and σ̃² = σ² / σp², it is N(0, 1), as a passive dimension of any VAE is; and by
the change of variable KL(N(μ, σ²) ‖ N(μp, σp²)) = KL(N(μ̃, σ̃²) ‖ N(0, 1)).

This runs inside forwards, compiled ones too: plain tensor operations, no branch on a value, no random number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from ..arrays.spread import UNITS
from .outputs import one_distribution

if TYPE_CHECKING:
    from torch import Tensor

Reader = Callable[[Any], Any]


def standardising(reader: Reader, kind: str | None, prior: Callable[[Any], Any]) -> Reader:
    """Return a reader of (mean, spread) in units of the prior, which is read from the same output."""

    def read(output: Any) -> tuple[Tensor, Tensor | None]:
        mean, spread = reader(output)
        return standardise(mean, spread, kind, prior(output))

    return read


def standardise(mean: Tensor, spread: Tensor | None, kind: str | None, prior: Any) -> tuple[Tensor, Tensor | None]:
    """Return (μ − μp) / σp, and the spread, in the unit `kind`, in units of the prior's.

    `prior` is a distribution or (mean, variance), each a number, (D,) beside (n, D), or of the shape of `mean`. The
    result is NaN where the prior's variance is not positive and finite, so that the row counts as not finite. Raises
    TypeError or ValueError for anything else.
    """
    mean = _single(mean.detach())
    centre, variance = (_beside(mean, side) for side in _mean_and_variance(prior))
    variance = variance.where((variance > 0) & variance.isfinite(), float("nan"))
    moved = (mean - centre) / variance.sqrt()
    if spread is None or kind is None:
        return moved, None
    return moved, UNITS[kind].rescaled(_single(spread.detach()), variance, torch)


def _mean_and_variance(prior: Any) -> tuple[Any, Any]:
    if isinstance(prior, (tuple, list)):  # not a union, which the compiler of torch 2.5 does not know
        if len(prior) == 2:
            return prior[0], prior[1]
        raise TypeError(f"prior: expected (mean, variance) or a distribution, got {len(prior)} values")
    if hasattr(prior, "mean") and hasattr(prior, "variance"):
        return one_distribution(prior)
    raise TypeError(f"prior: expected (mean, variance) or a distribution, got {type(prior).__name__}")


def _beside(mean: Tensor, side: Any) -> Any:
    """Return one side of the prior as a tensor that fits the rows of `mean`, and never broadcasts by accident."""
    if isinstance(side, (int, float)):
        return mean.new_full((), side)
    if not hasattr(side, "detach"):
        side = mean.new_tensor(side)
    side = _single(side.detach())
    if side.dim() == 0 or side.shape == mean.shape or (mean.dim() == 2 and side.shape == mean.shape[1:]):
        return side
    raise ValueError(
        f"prior: expected a number, (D,) or the shape of mean {tuple(mean.shape)}, got {tuple(side.shape)}"
    )


def _single(tensor: Tensor) -> Tensor:
    """Return at least float32: a difference of bfloat16 numbers keeps three digits at most."""
    return tensor.float() if tensor.element_size() < 4 or not tensor.is_floating_point() else tensor
