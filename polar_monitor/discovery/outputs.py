"""Outputs of modules read as (mean, variance).

An output that names its parts (a distribution, a dict, a dataclass or named tuple with the fields of `vocabulary`) is
read by `structured`. This runs inside forwards, compiled ones too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..arrays.layout import axes_of
from ..arrays.spread import ARGUMENTS, UNITS
from .vocabulary import HOLDERS, MEAN_FIELDS, SPREAD_FIELDS

LOCATED = (
    torch.distributions.Normal,
    torch.distributions.Laplace,
    torch.distributions.MultivariateNormal,
    torch.distributions.LowRankMultivariateNormal,
)
"""Distributions whose mean and variance are a latent's."""
COMPUTED_FIELDS = ("mean", *ARGUMENTS)
"""Properties that are read as fields, as the output objects of diffusers have them."""
WRITE = "write latent=…, mean=lambda out: …, and logvar=, var=, std= or logstd=lambda out: …"


def one_tensor(output: Any) -> Tensor:
    """Return the output of a module that gives one side alone. Raises TypeError for anything but a tensor."""
    if not isinstance(output, Tensor):
        raise TypeError(
            f"expected one tensor, got {type(output).__name__}: pass latent= if it carries both, or {WRITE}"
        )
    return output


def structured(output: Any, layout: str | None = None) -> tuple[Tensor, Tensor]:
    """Return (mean, variance) of an output that names its parts; a pair of tensors is (mean, log-variance).

    One tensor, whose axes `layout` names, holds both: the first half of its dimensions (or channels) the mean, the
    second the log-variance. Raises TypeError, with what was found and what to write, for anything else. That includes
    three tensors of one shape, since (mean, log-variance, sample) and (sample, mean, log-variance) are both in use.
    """
    if isinstance(output, Tensor):
        half, logvar = torch.chunk(output, 2, dim=axes_of(layout, output.dim()).find("d"))
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
        for name, unit in SPREAD_FIELDS.items():
            spread = fields.get(name)
            if isinstance(spread, Tensor) and spread.shape == mean.shape:
                return mean, UNITS[unit].variance(spread, torch)
        raise TypeError(
            f"expected a spread beside the mean, got {_listed(output, fields)}: {WRITE}; mean= alone if there is none"
        )
    if isinstance(output, (tuple, list)) and output:  # not a union, which the compiler of torch 2.5 does not know
        return _sequence(output)
    raise TypeError(
        f"expected a distribution, named fields or (mean, log-variance), got {_listed(output, fields)}: {WRITE}"
    )


def _sequence(output: tuple[Any, ...] | list[Any]) -> tuple[Tensor, Tensor]:
    first = output[0]
    if isinstance(first, torch.distributions.Distribution):
        return one_distribution(first)
    same = [isinstance(one, Tensor) and isinstance(first, Tensor) and one.shape == first.shape for one in output[:3]]
    if same == [True, True] or same == [True, True, False]:
        return first, output[1].exp()
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__ for one in output]
    raise TypeError(f"expected (mean, log-variance) of one shape and no third such tensor, got {shapes}: {WRITE}")


def one_distribution(q: Any) -> tuple[Tensor, Tensor]:
    """Return (mean, variance) of a distribution that has a location. Raises TypeError for another."""
    while isinstance(q, torch.distributions.Independent):
        q = q.base_dist
    if not isinstance(q, LOCATED):
        raise TypeError(f"expected a Normal or Laplace distribution, got {type(q).__name__}: {WRITE}")
    return q.mean, q.variance


def _fields(output: Any) -> Mapping[str, Any]:
    """Return what an output holds by name; nothing for a tuple, a tensor or a module."""
    if isinstance(output, Mapping):
        return output
    if hasattr(output, "_asdict"):
        return dict(output._asdict())
    if hasattr(output, "__dict__") and not isinstance(output, nn.Module):
        fields = dict(vars(output))
        for name in COMPUTED_FIELDS:
            value = getattr(type(output), name, None)
            if isinstance(value, property):
                fields[name] = getattr(output, name)
        return fields
    return {}


def _listed(output: Any, fields: Mapping[str, Any]) -> str:
    return f"{type(output).__name__}({', '.join(map(str, fields))})"
