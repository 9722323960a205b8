"""What a latent is: from a module's output to its mean and its spread.

`kind` is the unit of the spread: "logvar", "var", "std" or "logstd"; None where there is none. Outputs that say
themselves what they hold (distributions, dicts, dataclasses and named tuples with the usual field names) are read by
`structured`, which gives a variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .vocabulary import HOLDERS, MEAN_FIELDS, SPREAD_FIELDS

LOCATED = (
    torch.distributions.Normal,
    torch.distributions.Laplace,
    torch.distributions.MultivariateNormal,
    torch.distributions.LowRankMultivariateNormal,
)
"""Distributions whose mean and variance say what a latent carries."""
WRITE = "write latent=…, mean=lambda out: …, and logvar=, var= or std=lambda out: …"


def one_tensor(output: Any) -> Tensor:
    """The output of a module that gives one side alone. Raises TypeError for anything but a tensor."""
    if not isinstance(output, Tensor):
        raise TypeError(
            f"expected one tensor, got {type(output).__name__}: pass latent= if it carries both, or {WRITE}"
        )
    return output


def structured(output: Any, channels_first: bool | None = None) -> tuple[Tensor, Tensor]:
    """(mean, variance) of an output that says what it holds; a pair of tensors is (mean, log-variance).

    One tensor holds both, the first half of its dimensions (or channels) the mean, the second the log-variance.
    Raises TypeError, with what was found and what to write, for anything else: also for three tensors of one shape,
    since (mean, log-variance, sample) and (sample, mean, log-variance) are both in use.
    """
    if isinstance(output, Tensor):
        first = output.dim() > 3 if channels_first is None else channels_first and output.dim() > 2
        half, logvar = torch.chunk(output, 2, dim=1 if first else -1)
        return half, logvar.exp()
    if isinstance(output, torch.distributions.Distribution):
        return one_distribution(output)
    fields = _fields(output)
    for holder in HOLDERS:
        if holder in fields and not isinstance(fields[holder], Tensor):
            return structured(fields[holder])
    means = [fields[name] for name in MEAN_FIELDS if isinstance(fields.get(name), Tensor)]
    if means:
        mean = means[0]
        for name, kind in SPREAD_FIELDS.items():
            spread = fields.get(name)
            if isinstance(spread, Tensor) and spread.shape == mean.shape:
                return mean, _variance(spread, kind)
        raise TypeError(
            f"expected a spread beside the mean, got {_found(output, fields)}: {WRITE}; mean= alone if there is none"
        )
    if isinstance(output, (tuple, list)) and output:  # not a union, which the compiler of torch 2.5 does not know
        return _sequence(output)
    raise TypeError(
        f"expected a distribution, named fields or (mean, log-variance), got {_found(output, fields)}: {WRITE}"
    )


def _sequence(output: tuple[Any, ...] | list[Any]) -> tuple[Tensor, Tensor]:
    first = output[0]
    if isinstance(first, torch.distributions.Distribution):
        return one_distribution(first)
    alike = [isinstance(one, Tensor) and isinstance(first, Tensor) and one.shape == first.shape for one in output[:3]]
    if alike == [True, True] or alike == [True, True, False]:
        return first, output[1].exp()
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__ for one in output]
    raise TypeError(f"expected (mean, log-variance) of one shape and no third such tensor, got {shapes}: {WRITE}")


def one_distribution(q: Any) -> tuple[Tensor, Tensor]:
    """(mean, variance) of a distribution that has a location. Raises TypeError for another."""
    while isinstance(q, torch.distributions.Independent):
        q = q.base_dist
    if not isinstance(q, LOCATED):
        raise TypeError(f"expected a Normal or Laplace distribution, got {type(q).__name__}: {WRITE}")
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


def _found(output: Any, fields: Mapping[str, Any]) -> str:
    return f"{type(output).__name__}({', '.join(map(str, fields))})"
