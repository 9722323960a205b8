"""The loss of each row: given by the user, the model's own log-likelihood, or that of Gaussian noise.

Without a loss the output decides. A distribution of the data gives its negative log-likelihood. A tensor of the data's
size is taken as the mean of Gaussian noise of which the variance is that of the undisturbed residuals, one number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from ..discovery.evidence.seen import member, tensors_of
from ..errors import PolarMonitorError

Losses = NDArray[np.float64]
Loss = Callable[[Any, Any], Any]
GROUPS = 16
"""Parts of a batch for a loss that gives one number for all rows."""
MAX_RESIDUAL = 1.5
"""Residual, as a part of the data's mean square, above which an output is no reconstruction on the data's scale."""
WRITE = "pass loss=lambda output, batch: … with the nats of each input, shape (n,)"


class RowLoss:
    """Loss of each row of an output; a loss that gives one number for a batch becomes that of groups of rows."""

    def __init__(self, loss: Loss, target: Any, output: Any, order: NDArray[np.int64], unit: str = "nats") -> None:
        self.unit, self.measure = unit, "the loss as given"
        self._loss, self._target, self._rows = loss, target, len(order)
        self._groups: list[NDArray[np.int64]] = []
        self._scale = 1.0
        first = _values(loss(output, target))
        if first.ndim == 0:
            self._group(output, order, float(first))
        elif first.shape != (self._rows,):
            raise PolarMonitorError(
                f"loss: expected one number for each of the {self._rows} inputs, got shape {first.shape}: sum it over "
                "all other axes, as in loss.flatten(1).sum(1)"
            )
        self.order = order if not self._groups else np.arange(len(self._groups))
        """Order in which neighbours depend on each other."""

    def __call__(self, output: Any) -> Losses:
        """Return the loss of each row, or of each group."""
        if not self._groups:
            return _values(self._loss(output, self._target))
        return self._of_groups(output)

    def _of_groups(self, output: Any) -> Losses:
        values = [_values(self._loss(self._part(output, g), self._part(self._target, g))) for g in self._groups]
        return self._scale * np.array([float(value) for value in values])

    def _group(self, output: Any, order: NDArray[np.int64], first: float) -> None:
        size = len(order) // GROUPS
        why = "loss: it gives one number for the batch, and errors need one number for each input"
        if size < 1:
            raise PolarMonitorError(f"{why}: return them, shape (n,), or pass at least {GROUPS} inputs")
        used = order[: size * GROUPS]
        self._groups = [used[at : at + size] for at in range(0, len(used), size)]
        try:
            all_of_them = float(_values(self._loss(self._part(output, used), self._part(self._target, used))))
            parts = self._of_groups(output)
        except Exception as failure:
            text = f"{type(failure).__name__}: {failure}"
            raise PolarMonitorError(
                f"{why}; it failed on a part of them ({text}): return them, shape (n,)"
            ) from failure
        if (parts == parts[0]).all():
            raise PolarMonitorError(
                f"{why}; it is the same for every part of the output, as a loss that the model computes itself: return "
                "them, shape (n,), or let the model give what they are computed from"
            )
        close = 1e-3 * max(abs(all_of_them), float(np.abs(parts).mean()))
        if abs(parts.mean() - all_of_them) <= close:
            self.measure += f", a mean over rows: taken of {GROUPS} groups of {size}"
        elif abs(parts.sum() - all_of_them) <= GROUPS * close:
            self._scale = 1.0 / size
            self.measure += f", a sum over rows: taken of {GROUPS} groups of {size}"
        else:
            raise PolarMonitorError(f"{why}; it is neither their mean nor their sum: return them, shape (n,)")

    def _part(self, value: Any, rows: NDArray[np.int64]) -> Any:
        """Return some rows of all tensors in a value that have a row for each input."""
        if isinstance(value, Tensor):
            has_rows = value.dim() > 0 and len(value) == self._rows
            return value[torch.from_numpy(rows).to(value.device)] if has_rows else value
        if isinstance(value, Mapping):
            return {key: self._part(inside, rows) for key, inside in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._part(inside, rows) for inside in value))
        if isinstance(value, tuple | list):
            return type(value)(self._part(inside, rows) for inside in value)
        if isinstance(value, np.ndarray) and value.ndim and len(value) == self._rows:
            return value[rows]
        if value is None or isinstance(value, int | float | str):
            return value
        raise TypeError(f"{type(value).__name__} has no rows that can be chosen")


def own_loss(output: Any, batch: Any) -> tuple[Loss, str, str]:
    """Return a loss of what a model gives for a batch, its unit, and its measure in words.

    Raises PolarMonitorError if no output can be taken for the data.
    """
    data = next((tensor for _, tensor in tensors_of(batch) if tensor.is_floating_point() and tensor.dim() > 0), None)
    if data is None:
        raise PolarMonitorError(f"loss: the batch has no tensor of real numbers to compare with the output: {WRITE}")
    likelihood = next((at for at in _distributions(output, ()) if _covers(member(output, at), data)), None)
    if likelihood is not None:
        return (
            lambda out, target: -_summed(member(out, likelihood).log_prob(data)),
            "nats",
            "the negative log-likelihood of the distribution that the model gives",
        )
    same = [
        (path, tensor)
        for path, tensor in tensors_of(output)
        if tensor.is_floating_point() and _alike(tensor, data) and not torch.equal(tensor.reshape(data.shape), data)
    ]
    if len(same) != 1:
        got = "several outputs" if same else "no output"
        raise PolarMonitorError(f"loss: {got} of the data's size, shape {tuple(data.shape)}: {WRITE}")
    path, tensor = same[0]
    residual = _square(tensor, data)
    size, square = float(data.double().square().mean()), float(residual.mean())
    if not square <= MAX_RESIDUAL * size:
        raise PolarMonitorError(
            f"loss: the output is no reconstruction on the data's scale (mean square of the residual {square:.3g}, of "
            f"the data {size:.3g}), as logits are none: {WRITE}"
        )
    floor = max(square, 1e-12 * size, 1e-30)
    return (
        lambda out, target: _square(member(out, path), data).sum(1) / (2 * floor),
        "nats",
        f"Gaussian noise with the variance of the residual, {floor:.3g} for each number",
    )


def moved(output: Any) -> tuple[Loss, str, str]:
    """Return the squared distance from the undisturbed output of a decoder, half of it, for codes without targets."""
    if not isinstance(output, Tensor):
        raise PolarMonitorError(f"loss: the decoder gives {type(output).__name__}: {WRITE}")
    before = output.detach().clone()
    return (
        lambda out, target: _square(out, before).sum(1) / 2,
        "squared units of the output",
        "half the squared distance from the undisturbed output, as there are neither targets nor a loss",
    )


def _values(loss: Any) -> Losses:
    if isinstance(loss, Tensor):
        loss = loss.detach().double().cpu().numpy()
    try:
        if loss is not None:
            return np.asarray(loss, np.float64)
    except (TypeError, ValueError):
        pass
    raise PolarMonitorError(f"loss: expected a tensor (n,), got {type(loss).__name__}: {WRITE}")


def _alike(tensor: Tensor, data: Tensor) -> bool:
    return tensor.dim() > 0 and len(tensor) == len(data) and tensor.numel() == data.numel()


def _square(tensor: Tensor, data: Tensor) -> Tensor:
    return (tensor.reshape(len(data), -1) - data.reshape(len(data), -1)).double().square()


def _summed(values: Tensor) -> Tensor:
    return values if values.dim() == 1 else values.flatten(1).sum(1)


def _covers(distribution: Distribution, data: Tensor) -> bool:
    shape = (*distribution.batch_shape, *distribution.event_shape)
    return math.prod(shape) == data.numel() and bool(shape) and shape == tuple(data.shape)


def _distributions(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield where the distributions in an output lie."""
    if isinstance(value, Distribution):
        yield path
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _distributions(inside, (*path, key))
    elif isinstance(value, tuple | list):
        for key, inside in enumerate(value):
            yield from _distributions(inside, (*path, key))
    elif hasattr(value, "__dict__") and not isinstance(value, Tensor) and len(path) < 3:
        for key, inside in vars(value).items():
            if isinstance(inside, Distribution):
                yield (*path, f".{key}")
