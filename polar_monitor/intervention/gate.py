"""Gate of a decoder: does its output change at all with the code? Measured by swapping codes between inputs.

What else conditions the decoder stays as it is. The effect is ½ E‖dec(z′) − dec(z)‖², a share of the variance of the
data; where these are not known, of the decoder's outputs, over all numbers and at the largest that was seen.

`Measuring` begins a measurement and does not wait for the device: its numbers come in one copy, which is read when it
has arrived. On the CPU that is at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..capture.transfer import to_hosts
from .decoder_call import DecoderCall
from .gain import MIN_ROWS, ROWS, by_dimension, chosen_codes, gains_from, squared_gains

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
    total: float
    """Σ V g² of the codes, V the variances of the dimensions."""


class Measuring:
    """A measurement that has begun. Raises DecoderError for a decoder that cannot be called."""

    def __init__(self, decoder: DecoderCall, codes: Any, letters: str = "nd") -> None:
        """Call the decoder with codes of independent inputs: an array, or a tensor on its device."""
        self._name = decoder.name
        with decoder.undisturbed(waits=False):
            codes = decoder.codes(codes)
            axis = letters.index("n")
            squares = squared_gains(decoder, codes.narrow(axis, 0, min(ROWS, codes.shape[axis])), letters)
            variance = by_dimension(codes.float(), letters).flatten(0, 1).var(0, unbiased=False)
            moved, moments = _swapped(decoder, codes, letters)
            parts = [part.float() for part in (squares, variance, moments, moved)]
            self._hosts, self._events = to_hosts([torch.cat([part.to(codes.device) for part in parts])])
        self._dimensions = len(squares)

    def ready(self) -> bool:
        """Return True if `result` does not have to wait."""
        return all(event.query() for event in self._events)  # type: ignore[no-untyped-call]

    def result(self, data_variance: float | None = None, largest: float = 0.0) -> Measurement:
        """Return the gains and the effect; wait for them if they are not ready. Raises DecoderError for NaN.

        Args:
            data_variance: Variance of a number of the data over the inputs, if it is known.
            largest: The largest variance that was a reference before, if it is not known.
        """
        for event in self._events:
            event.synchronize()
        numbers, D = self._hosts[0].numpy().astype(np.float64), self._dimensions
        gain, variance = gains_from(numbers[:D], self._name), numbers[D : 2 * D]
        mean, square, moved = numbers[2 * D], numbers[2 * D + 1], numbers[2 * D + 2 :]
        if moved.mean() <= ROUNDING * square:
            moved = np.zeros_like(moved)
        reference = data_variance or max(float(square - mean * mean), 0.0, largest)
        effect, error = moved / reference if reference > 0 else moved, 1.0 / np.sqrt(max(len(moved), 1))
        total = float(variance @ gain**2)
        return Measurement(gain, float(effect.mean()), float(effect.std() * error), reference, total)


def measure(
    decoder: DecoderCall,
    code: Any,
    data_variance: float | None = None,
    largest: float = 0.0,
    layout: str | None = None,
) -> Measurement:
    """Return the gains of a decoder and the effect of codes of independent inputs, of which 256 are used.

    Raises DecoderError. The arguments are those of `Measuring.result` and of `decoder_gain`.
    """
    return Measuring(decoder, *chosen_codes(code, PAIRS, layout)).result(data_variance, largest)


def _swapped(decoder: DecoderCall, codes: Tensor, letters: str) -> tuple[Tensor, Tensor]:
    """Return half the mean square of the change of each output (n,), and the mean and mean square of all outputs."""
    axis = letters.index("n")
    others, size, start, count = codes.roll(1, axis), MIN_ROWS, 0, codes.shape[axis]
    moved, moments = [], []
    while start < count:
        rows = min(size, count - start)
        output = decoder(codes.narrow(axis, start, rows), letters).float()
        change = decoder(others.narrow(axis, start, rows), letters).float() - output
        moved.append(0.5 * change.square().mean(1))
        moments.append(torch.stack([output.mean(), output.square().mean()]) * (rows / count))
        start += rows
        size = int(np.clip(MAX_NUMBERS // output.shape[1], MIN_ROWS, PAIRS))
    return torch.cat(moved), torch.stack(moments).sum(0)
