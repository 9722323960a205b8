"""Gain of a decoder in each dimension of its code: how far the output moves per movement of the code.

g_j² = E‖dec(z with z_j of another input) − dec(z)‖² / E(z′_j − z_j)², from one call for each dimension; with many
dimensions E‖∂dec/∂z_j‖², from the gradients of a few random signed sums of the outputs, which cost the same for any
number of dimensions. Of a map or a sequence a channel or feature is a dimension: all of its places are swapped at once,
and its movement is the mean square over them.

Nothing in here waits for the decoder's device: the numbers stay there until somebody reads them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..arrays.layout import axes_of, checked_layout
from .decoder_call import DecoderCall, DecoderError

ROWS = 32
"""Codes that a gain is measured with."""
MIN_ROWS = 8
"""Smallest number of codes."""
MAX_SWAPPED = 32
"""Largest number of dimensions that are swapped one after the other."""
PROBES = 16
"""Random signed sums of the outputs whose gradients are taken."""


def decoder_gain(decoder: Any, code: Any, *, layout: str | None = None) -> NDArray[np.float64]:
    """Return how far a decoder's output moves per movement of each dimension of its code, (D,).

    The decoder runs in eval mode and without gradient of its weights; modes, buffers and random numbers are put back.
    The unit is the Euclidean norm of the output. A dimension that does not vary has gain 0.

    Args:
        decoder: A module, or a callable code → output. What else it needs, as a condition, is added by a callable that
            takes any number of rows.
        code: Codes of n inputs, of which 32 are used: an array or a tensor (n, D), (n, T, D) or (n, C, H, W) as the
            decoder takes it. A channel or feature is a dimension, and the movement of a map is its mean square over
            the places.
        layout: Letters of the axes of `code` in another order, as in "tnd" (`polar_monitor.classify`).

    Raises:
        PolarMonitorError: A decoder that cannot be called with codes alone, with the line to write; other shapes.

    Example:
        >>> import torch, polar_monitor
        >>> decoder = torch.nn.Linear(2, 8, bias=False)
        >>> _ = torch.nn.init.eye_(decoder.weight)
        >>> polar_monitor.decoder_gain(decoder, torch.randn(100, 2)).round(3).tolist()
        [1.0, 1.0]
    """
    call, (rows, letters) = DecoderCall.of(decoder), chosen_codes(code, ROWS, layout)
    with call.undisturbed():
        return gains_from(squared_gains(call, call.codes(rows), letters).double().cpu().numpy(), call.name)


def chosen_codes(code: Any, count: int, layout: str | None = None) -> tuple[Any, str]:
    """Return some of the codes of n inputs, in an order that does not follow that of the inputs, and their letters.

    Raises DecoderError for another shape, or few inputs.
    """
    code, layout = code if isinstance(code, Tensor) else np.asarray(code), checked_layout(layout)
    expected = f"code: expected codes (n, D) of {MIN_ROWS} inputs or more, or maps or sequences"
    if not 2 <= code.ndim <= 5:
        raise DecoderError(f"{expected}, got shape {tuple(code.shape)}")
    try:
        letters = axes_of(layout, code.ndim)
    except ValueError as failure:
        raise DecoderError(str(failure)) from None
    axis = letters.index("n")
    if code.shape[axis] < MIN_ROWS:
        raise DecoderError(f"{expected}, got shape {tuple(code.shape)}")
    order = np.random.default_rng(0).permutation(code.shape[axis])[:count]
    if isinstance(code, Tensor):
        return code.index_select(axis, torch.from_numpy(order).to(code.device)), letters
    return np.take(code, order, axis), letters


def squared_gains(decoder: DecoderCall, codes: Tensor, letters: str = "nd") -> Tensor:
    """Return the squares of the gains (D,), on the device of the codes. Call it inside `decoder.undisturbed()`."""
    squares = None
    if codes.shape[letters.index("d")] > MAX_SWAPPED:
        squares = _by_gradient(decoder, codes, letters)
    return _by_swapping(decoder, codes, letters) if squares is None else squares


def gains_from(squares: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return the gains from their squares. Raises DecoderError if they are not finite."""
    if not np.isfinite(squares).all():
        raise DecoderError(f"decoder: expected finite outputs, {name} gives NaN or infinity")
    return np.asarray(np.sqrt(squares), np.float64)


def by_dimension(codes: Tensor, letters: str) -> Tensor:
    """Return codes as (n, places, D), in their own memory where that is possible."""
    return codes.movedim((letters.index("n"), letters.index("d")), (0, -1)).reshape(
        codes.shape[letters.index("n")], -1, codes.shape[letters.index("d")]
    )


def _by_swapping(decoder: DecoderCall, codes: Tensor, letters: str) -> Tensor:
    base, others = decoder(codes, letters).float(), codes.roll(1, letters.index("n"))
    squares, axis = [], letters.index("d")
    for j in range(codes.shape[axis]):
        swapped, other = codes.clone(), others.select(axis, j)
        swapped.select(axis, j).copy_(other)
        moved = (decoder(swapped, letters).float() - base).square().sum()
        by = (other.float() - codes.select(axis, j).float()).square().sum() * codes.shape[letters.index("n")]
        by = by / other.numel()  # the mean over places
        squares.append(torch.where(by > 0, moved / by, torch.zeros_like(by)))
    return torch.stack(squares)


def _by_gradient(decoder: DecoderCall, codes: Tensor, letters: str) -> Tensor | None:
    """Return the mean squares of the gradients; None if the decoder has none."""
    codes = codes.detach().requires_grad_(True)
    squares = torch.zeros(codes.shape[letters.index("d")], device=codes.device)
    with torch.enable_grad():
        output = decoder(codes, letters)
        if not output.requires_grad:
            return None
        generator = torch.Generator(output.device).manual_seed(0)
        for _ in range(PROBES):
            signs = torch.randint(2, output.shape, generator=generator, device=output.device).to(output.dtype) * 2 - 1
            try:
                (gradient,) = torch.autograd.grad(output, codes, signs, retain_graph=True)
            except RuntimeError:  # as a recurrent layer of cuDNN in eval mode
                return None
            squares += by_dimension(gradient.float(), letters).square().sum(1).mean(0) / PROBES
    rows = by_dimension(codes.detach(), letters)
    varies = (rows.amax(0) > rows.amin(0)).any(0)
    return torch.where(varies, squares, torch.zeros_like(squares))
