"""Gain of a decoder in each dimension of its code: how far the output moves per movement of the code.

g_j² = E‖dec(z with z_j of another input) − dec(z)‖² / E(z′_j − z_j)², from one call for each dimension; with many
dimensions E‖∂dec/∂z_j‖², from the gradients of a few random signed sums of the outputs, which cost the same for any
number of dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .decoder_call import DecoderCall, DecoderError

ROWS = 32
"""Codes that a gain is measured with."""
MIN_ROWS = 8
"""Smallest number of codes."""
MAX_SWAPPED = 32
"""Largest number of dimensions that are swapped one after the other."""
PROBES = 16
"""Random signed sums of the outputs whose gradients are taken."""


def decoder_gain(decoder: Any, code: Any) -> NDArray[np.float64]:
    """Return how far a decoder's output moves per movement of each dimension of its code, (D,).

    The decoder runs in eval mode and without gradient of its weights; modes, buffers and random numbers are put back.
    The unit is the Euclidean norm of the output. A dimension that does not vary has gain 0.

    Args:
        decoder: A module, or a callable code → output. What else it needs, as a condition, is added by a callable that
            takes any number of rows.
        code: Codes (n, D) of n inputs, an array or a tensor, of which 32 are used.

    Raises:
        PolarMonitorError: A decoder that cannot be called with codes alone, with the line to write; other shapes.

    Example:
        >>> import torch, polar_monitor
        >>> decoder = torch.nn.Linear(2, 8, bias=False)
        >>> _ = torch.nn.init.eye_(decoder.weight)
        >>> polar_monitor.decoder_gain(decoder, torch.randn(100, 2)).round(3).tolist()
        [1.0, 1.0]
    """
    call, rows = DecoderCall.of(decoder), chosen_rows(code, ROWS)
    with call.undisturbed():
        return gains_of(call, call.codes(rows))


def chosen_rows(code: Any, count: int) -> Any:
    """Return some codes (n, D), in an order that does not follow that of the inputs. Raises DecoderError."""
    code = code if isinstance(code, Tensor) else np.asarray(code)
    if code.ndim != 2 or len(code) < MIN_ROWS:
        raise DecoderError(f"code: expected codes (n, D) of {MIN_ROWS} inputs or more, got shape {tuple(code.shape)}")
    order = np.random.default_rng(0).permutation(len(code))[:count]
    return code[torch.from_numpy(order).to(code.device)] if isinstance(code, Tensor) else code[order]


def gains_of(decoder: DecoderCall, codes: Tensor) -> NDArray[np.float64]:
    """Return the gains (D,), from codes (n, D) on the decoder's device. Call it inside `decoder.undisturbed()`."""
    squares = None
    if codes.shape[1] > MAX_SWAPPED:
        squares = _by_gradient(decoder, codes)
    if squares is None:
        squares = _by_swapping(decoder, codes)
    gains = np.sqrt(np.nan_to_num(squares.double().cpu().numpy(), nan=np.nan, posinf=np.nan))
    if not np.isfinite(gains).all():
        raise DecoderError(f"decoder: expected finite outputs, {decoder.name} gives NaN or infinity")
    return np.asarray(gains, np.float64)


def _by_swapping(decoder: DecoderCall, codes: Tensor) -> Tensor:
    base, others = decoder(codes).flatten(1).float(), codes.roll(1, 0)
    squares = []
    for j in range(codes.shape[1]):
        swapped = codes.clone()
        swapped[:, j] = others[:, j]
        moved = (decoder(swapped).flatten(1).float() - base).square().sum()
        by = (others[:, j].float() - codes[:, j].float()).square().sum()
        squares.append(torch.where(by > 0, moved / by, torch.zeros_like(by)))
    return torch.stack(squares)


def _by_gradient(decoder: DecoderCall, codes: Tensor) -> Tensor | None:
    """Return the mean squares of the gradients; None if the decoder has none."""
    generator = torch.Generator().manual_seed(0)
    codes = codes.detach().requires_grad_(True)
    squares = torch.zeros(codes.shape[1], device=codes.device)
    with torch.enable_grad():
        output = decoder(codes)
        if not output.requires_grad:
            return None
        for _ in range(PROBES):
            signs = torch.randint(2, output.shape, generator=generator).to(output) * 2 - 1
            try:
                (gradient,) = torch.autograd.grad(output, codes, signs, retain_graph=True)
            except RuntimeError:  # as a recurrent layer of cuDNN in eval mode
                return None
            squares += gradient.float().square().mean(0) / PROBES
    varies = codes.detach().amax(0) > codes.detach().amin(0)
    return torch.where(varies, squares, torch.zeros_like(squares))
