"""What a latent is: from a module's output to its mean and its spread.

`kind` is the unit of the spread: "logvar", "var", "std" or "logstd"; None where there is none. Outputs that say
themselves what they hold (distributions, dicts, dataclasses and named tuples with the usual field names) are read by
`structured`, which gives a variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .hooks import Reader

KINDS = ("logvar", "var", "std")
MEAN_FIELDS = ("mean", "mu", "z_mean", "z_mu", "means", "qz_m", "loc")
SPREAD_FIELDS = {
    "logvar": "logvar",
    "log_var": "logvar",
    "log_variance": "logvar",
    "z_logvar": "logvar",
    "z_log_var": "logvar",
    "log_covariance": "logvar",
    "var": "var",
    "variance": "var",
    "z_var": "var",
    "qz_v": "var",
    "std": "std",
    "stddev": "std",
    "sigma": "std",
    "log_std": "logstd",
    "logstd": "logstd",
    "log_sigma": "logstd",
}
HOLDERS = ("latent_dist", "posterior", "latent_distribution", "qz", "q_z", "latents", "latent")


@dataclass(frozen=True)
class Part:
    """One module to hook, how to read its output, and which side of the latent that is."""

    module: nn.Module
    name: str
    reader: Reader | None
    side: str
    """"mean", "spread" or "both"."""


@dataclass(frozen=True)
class Latent:
    """A latent variable found in a model."""

    parts: tuple[Part, ...]
    kind: str | None
    dimensions: int | None
    """D where the modules tell it before they have run."""
    channels_first: bool | None
    why: str


def to_variance(spread: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """σ² from a spread in its unit, float32; log-units cannot give a negative value, the others are not mended."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        match kind:
            case "logvar":
                return np.asarray(np.exp(spread))
            case "logstd":
                return np.asarray(np.exp(2.0 * spread))
            case "std":
                return np.where(spread < 0, np.float32("nan"), np.square(spread))
            case _:
                return np.asarray(spread)


def structured(output: Any) -> tuple[Tensor, Tensor | None]:
    """(mean, variance) of an output that says what it holds; a pair of tensors is (mean, log-variance).

    One tensor holds both, the first half of its dimensions (or channels) the mean, the second the log-variance.
    Raises TypeError, with what was found, for anything else.
    """
    if isinstance(output, Tensor):
        half, logvar = torch.chunk(output, 2, dim=1 if output.dim() > 3 else -1)
        return half, logvar.exp()
    if isinstance(output, torch.distributions.Distribution):
        return _distribution(output)
    fields = _fields(output)
    for holder in HOLDERS:
        if holder in fields and not isinstance(fields[holder], Tensor):
            return structured(fields[holder])
    means = (fields.get(name) for name in MEAN_FIELDS)
    mean = next((value for value in means if isinstance(value, Tensor)), None)
    if mean is not None:
        for name, kind in SPREAD_FIELDS.items():
            spread = fields.get(name)
            if isinstance(spread, Tensor) and spread.shape == mean.shape:
                return mean, _variance(spread, kind)
        return mean, None
    if isinstance(output, tuple | list) and len(output) >= 1:
        return _sequence(output)
    raise TypeError(f"expected a distribution, named fields or (mean, log-variance), got {type(output).__name__}")


def _sequence(output: tuple[Any, ...] | list[Any]) -> tuple[Tensor, Tensor | None]:
    first = output[0]
    if isinstance(first, torch.distributions.Distribution):
        return _distribution(first)
    if len(output) >= 2 and all(isinstance(one, Tensor) for one in output[:2]) and first.shape == output[1].shape:
        return first, output[1].exp()
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__ for one in output]
    raise TypeError(f"expected (mean, log-variance) of one shape first, got {shapes}")


def _distribution(q: torch.distributions.Distribution) -> tuple[Tensor, Tensor]:
    while isinstance(q, torch.distributions.Independent):
        q = q.base_dist
    return q.mean, q.variance


def _variance(spread: Tensor, kind: str) -> Tensor:
    match kind:
        case "logvar":
            return spread.exp()
        case "logstd":
            return (2 * spread).exp()
        case "std":
            return spread.square()
        case _:
            return spread


def _fields(output: Any) -> Mapping[str, Any]:
    if isinstance(output, Mapping):
        return output
    if hasattr(output, "_asdict"):
        return dict(output._asdict())
    if hasattr(output, "__dict__") and not isinstance(output, nn.Module):
        fields = dict(vars(output))
        for name in ("mean", "logvar", "var", "std"):  # output objects that compute them, as diffusers' does
            value = getattr(type(output), name, None)
            if isinstance(value, property):
                fields[name] = getattr(output, name)
        return fields
    return {}


def width(module: nn.Module, last: bool) -> int | None:
    """Dimensions (or channels) that a module gives, or takes, read off its last, or first, linear or conv layer."""
    layers = [m for m in module.modules() if isinstance(m, nn.Linear) or hasattr(m, "out_channels")]
    if not layers:
        return None
    layer: Any = layers[-1 if last else 0]
    if isinstance(layer, nn.Linear):
        return layer.out_features if last else layer.in_features
    return int(layer.out_channels if last else layer.in_channels)


def is_channels_first(module: nn.Module) -> bool | None:
    """Whether a module's 3-D output has its channels second, as conv layers have; None where it cannot be told."""
    if isinstance(module, nn.Linear | nn.LayerNorm):
        return False
    return True if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) else None
