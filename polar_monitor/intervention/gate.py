"""Gate of a decoder: does its output change at all with the code? Measured by swapping codes between inputs.

What else conditions the decoder stays as it is. The effect is ½ E‖dec(z′) − dec(z)‖², a share of the variance of the
data; where these are not known, of the decoder's outputs, over all numbers and at the largest that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .decoder_call import DecoderCall
from .gain import MIN_ROWS, ROWS, chosen_rows, gains_of

PAIRS = 256
"""Codes that are swapped."""
MAX_NUMBERS = 2**24
"""Largest number of output numbers of one call."""
ROUNDING = 1e-13
"""Effects below this share of the mean square of the outputs are rounding of float32."""


@dataclass(frozen=True)
class Measurement:
    """Gains of a decoder, and its use of the code as a whole."""

    gain: NDArray[np.float64]
    """(D,)."""
    effect: float
    """Share of the variance of the data."""
    effect_se: float
    reference: float
    """The variance that `effect` is a share of."""


def measure(decoder: DecoderCall, code: Any, data_variance: float | None = None, largest: float = 0.0) -> Measurement:
    """Return the gains of a decoder and the effect of codes (n, D). Raises DecoderError.

    Args:
        decoder: The decoder.
        code: Codes of independent inputs, of which 256 are used.
        data_variance: Variance of a number of the data over the inputs, if it is known.
        largest: The largest variance that was a reference before, if it is not known.
    """
    rows = chosen_rows(code, PAIRS)
    with decoder.undisturbed():
        codes = decoder.codes(rows)
        gain = gains_of(decoder, codes[:ROWS])
        moved, mean, square = _swapped(decoder, codes)
    variance = max(square - mean * mean, 0.0)
    if moved.mean() <= ROUNDING * square:
        moved = np.zeros_like(moved)
    reference = data_variance or max(variance, largest)
    effect, error = moved / reference if reference > 0 else moved, 1.0 / np.sqrt(max(len(moved), 1))
    return Measurement(gain, float(effect.mean()), float(effect.std() * error), reference)


def _swapped(decoder: DecoderCall, codes: Tensor) -> tuple[NDArray[np.float64], float, float]:
    """Return half the mean square of the change of each output, and the mean and mean square of all outputs."""
    others, size, start = codes.roll(1, 0), MIN_ROWS, 0
    moved, means, squares, counts = [], [], [], []
    while start < len(codes):
        part = slice(start, start + size)
        output = decoder(codes[part]).flatten(1).float()
        moved.append((0.5 * (decoder(others[part]).flatten(1).float() - output).square().mean(1)).cpu().numpy())
        means.append(float(output.mean()))
        squares.append(float(output.square().mean()))
        counts.append(len(output))
        start += size
        size = int(np.clip(MAX_NUMBERS // output.shape[1], MIN_ROWS, PAIRS))
    weights = np.array(counts) / sum(counts)
    return np.concatenate(moved).astype(np.float64), float(weights @ means), float(weights @ squares)
