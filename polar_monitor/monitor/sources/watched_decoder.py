"""The decoder of a watched code: measured at full evaluations, it gives the dimensions their scale.

One that was found, and not given, is measured on the CPU alone: elsewhere a measurement waits for the device.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from ...capture.hooks import muted
from ...discovery.unwrap import unwrap
from ...errors import warn
from ...intervention.decoder_call import DecoderCall, DecoderError
from ...intervention.gate import PAIRS, measure
from ...statistics.resolution import NO_SCALE, Scale

if TYPE_CHECKING:
    from ...statistics.stream import LatentStream

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
        self.failure = ""
        """Why it is not measured any more; '' while it is."""

    def release(self) -> None:
        """Drop a callable of the user, which may hold the model."""
        self._decoder = lambda: None

    def scale(self, stream: LatentStream) -> Scale:
        """Return the scale of the dimensions now, the one before if there are few codes, none after a failure."""
        decoder, model = self._decoder(), self._model()
        if self.failure or decoder is None or model is None:
            return NO_SCALE
        device = next((p.device for p in model.parameters() if p.device.type != "cpu"), None)
        if device is not None and not self._given:
            self.failure = (
                f"the decoder {self.name} is on {device}, and to measure it the training has to wait for the device; "
                f"attach(model, decoder={self.name}) does so"
            )
            return NO_SCALE
        codes, before = stream.newest(PAIRS), stream.scale
        try:
            if stream.has_places:
                raise DecoderError("decoder: expected codes (n, D), got one with places or tokens, as of a map")
            if len(codes) < MIN_ROWS:
                return before
            with muted(model):
                m = measure(DecoderCall.of(decoder, model), codes, self._data_variance, before.reference)
        except Exception as failure:
            self.failure = str(failure) if isinstance(failure, DecoderError) else f"{type(failure).__name__}: {failure}"
            if self._given:
                warn(f"{self.failure}; the labels go on without the decoder's scale")
            return NO_SCALE
        total = float(codes.astype(np.float64).var(axis=0) @ m.gain**2)
        return Scale.of(m.gain, m.effect, m.effect_se, m.reference, total, before)

    @property
    def text(self) -> str:
        """Text for `explain`."""
        if self.failure:
            return f"without the decoder's scale: {self.failure}"
        return f"scale from the decoder {self.name}, measured at full evaluations"
