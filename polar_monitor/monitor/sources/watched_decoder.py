"""The decoder of a watched code: measured at full evaluations, it gives the dimensions their scale.

On a GPU of CUDA it computes there, and a later evaluation reads the result: nothing waits. On other devices a
measurement waits, so that a decoder that was found, and not given, is not measured.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from ..._torch_compat import is_capturing
from ...capture.compiled import letters_of
from ...capture.hooks import muted
from ...capture.output_rows import MIN_FULL
from ...discovery.unwrap import unwrap
from ...errors import warn
from ...intervention.decoder_call import DecoderCall, DecoderError
from ...intervention.gate import PAIRS, Measuring
from ...statistics.resolution import NO_SCALE, Scale

if TYPE_CHECKING:
    from ...capture.ring import PairedRingBuffer
    from ...statistics.stream import LatentStream

MEASURED_ON = "cpu", "cuda"
"""Types of devices on which nothing waits for a measurement."""
MIN_ROWS = 64
"""Smallest number of codes that a decoder is measured with."""


class WatchedDecoder:
    """A decoder of a model. It holds modules weakly, since the model holds the monitor; a callable it does hold."""

    def __init__(self, decoder: Any, model: nn.Module, data_variance: float | None = None, given: bool = True) -> None:
        """`given`: True if the user named it, who is warned if it cannot be used. Raises DecoderError."""
        call = DecoderCall.of(decoder, model)
        self.name = f"{decoder!r}" if isinstance(decoder, str) else call.name
        module = model.get_submodule(decoder) if isinstance(decoder, str) else decoder
        module = unwrap(module) if isinstance(module, nn.Module) else module
        self._decoder = weakref.ref(module) if isinstance(module, nn.Module) else lambda: module
        self._model, self._data_variance, self._given = weakref.ref(model), data_variance, given
        self._measuring: Measuring | None = None
        """The measurement under way."""
        self.failure = ""
        """Why it is not measured any more; '' while it is."""

    def release(self) -> None:
        """Drop a callable of the user, which may hold the model."""
        self._decoder, self._measuring = lambda: None, None

    def scale(self, stream: LatentStream, ring: PairedRingBuffer, begins: bool = True) -> Scale:
        """Return the scale of the dimensions: that of the latest measurement that has arrived; none after a failure.

        If it `begins`, or there is no scale yet, another measurement begins. On the CPU it has arrived at once.
        """
        decoder, model = self._decoder(), self._model()
        if self.failure or decoder is None or model is None:
            return NO_SCALE
        device = next((p.device for p in model.parameters() if p.device.type not in MEASURED_ON), None)
        if device is not None and not self._given:
            self.failure = (
                f"the decoder {self.name} is on {device}, and to measure it the training has to wait for the device; "
                f"attach(model, decoder={self.name}) does so"
            )
            return NO_SCALE
        try:
            scale = self._arrived(stream.scale)
            if self._measuring is None and (begins or scale.gain is None):
                self._measuring = self._begin(decoder, model, stream, ring)
                scale = self._arrived(scale)
        except Exception as failure:
            self.failure = str(failure) if isinstance(failure, DecoderError) else f"{type(failure).__name__}: {failure}"
            self._measuring = None
            if self._given:
                warn(f"{self.failure}; the labels go on without the decoder's scale")
            return NO_SCALE
        return scale

    def _begin(self, decoder: Any, model: nn.Module, stream: LatentStream, ring: PairedRingBuffer) -> Measuring | None:
        """Begin a measurement; None if there are few codes, or none as yet."""
        if is_capturing():
            return None
        if len(ring.letters or letters_of(ring.mean.key)) <= 2:
            codes: Any = stream.newest(PAIRS)
            if len(codes) < MIN_ROWS:
                return None
            codes, letters = codes[np.random.default_rng(0).permutation(len(codes))], "nd"
        else:
            full = ring.full_codes
            if full is None or full.codes is None:
                if ring.masked or ring.compiled:
                    why = "a mask" if ring.masked else "compiled forwards, which do not show them"
                    raise DecoderError(f"decoder: expected all places of a map or a sequence, got {why}")
                return None
            codes, letters = full.codes.clone(), full.letters
            if codes.shape[letters.index("n")] < MIN_FULL:
                return None
        with muted(model):
            return Measuring(DecoderCall.of(decoder, model), codes, letters)

    def _arrived(self, before: Scale) -> Scale:
        """Return the scale of the measurement under way if it has arrived, else the one before."""
        if self._measuring is None or not self._measuring.ready():
            return before
        measuring, self._measuring = self._measuring, None
        m = measuring.result(self._data_variance, before.reference)
        return Scale.of(m.gain, m.effect, m.effect_se, m.reference, m.total, before)

    @property
    def text(self) -> str:
        """Text for `explain`."""
        if self.failure:
            return f"without the decoder's scale: {self.failure}"
        return f"scale from the decoder {self.name}, measured at full evaluations"
