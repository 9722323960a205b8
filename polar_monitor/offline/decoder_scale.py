"""Scale of codes from a decoder, or from gains that the caller has measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays.rows import F32
from ..errors import PolarMonitorError
from ..statistics.resolution import Scale


def scale_by(
    mean: Any,
    kind: str | None,
    resolution: Any,
    decoder: Any,
    gain: Any,
    layout: str | None = None,
    mask: Any = None,
    data_variance: Any = None,
) -> Callable[[F32, int], Scale] | None:
    """Return the function that gives the scale of codes (n, D) with so many rows of an input; None for no argument.

    `mean` are the codes as the caller has them, which a decoder of maps or sequences takes. Raises PolarMonitorError
    for both, and beside another scale.
    """
    if data_variance is not None:
        if decoder is None:
            raise PolarMonitorError("data_variance: expected it beside decoder= alone, whose effect is a share of it")
        data_variance = _checked_variance(data_variance)
    given = [word for word, value in (("decoder", decoder), ("gain", gain)) if value is not None]
    if not given:
        return None
    others = [kind, *given[1:]] if kind is not None else given[1:]
    others += ["resolution"] if resolution is not None else []
    if others:
        raise PolarMonitorError(
            f"{given[0]}: expected nothing else that sets the scale of the dimensions, got {others[0]} too: leave out "
            "one of the two"
        )
    if gain is not None:
        return lambda codes, _: Scale.of(checked_gain(gain, codes.shape[1]))

    def scale(codes: F32, rows_of_input: int) -> Scale:
        from ..intervention.decoder_call import DecoderCall
        from ..intervention.gate import measure

        axes = getattr(mean, "ndim", 0)
        if rows_of_input > 1 and axes < 3:
            raise PolarMonitorError(
                "decoder: expected one array of maps or sequences, got chunks or a list: pass an array, or gain= from "
                "polar_monitor.decoder_gain(decoder, chunk)"
            )
        if axes > 2 and mask is not None:
            raise PolarMonitorError("decoder: expected maps or sequences without mask=, as a decoder takes all places")
        code, letters = (mean, layout) if axes > 2 else (codes, None)
        m = measure(DecoderCall.of(decoder), code, data_variance, layout=letters)
        return Scale.of(m.gain, m.effect, m.effect_se, m.reference)

    return scale


def _checked_variance(value: Any) -> float:
    """Return a variance above 0. Raises PolarMonitorError for anything else."""
    try:
        variance = float(value)
    except (TypeError, ValueError):
        variance = math.nan
    if not 0 < variance < math.inf:
        raise PolarMonitorError(
            f"data_variance: expected a number above 0, as in float(x.var(0).mean()), got {value!r:.40}"
        )
    return variance


def checked_gain(gain: Any, dimensions: int) -> Any:
    """Return gains (D,) of 0 or more. Raises PolarMonitorError for anything else."""
    try:
        gains = np.asarray(gain.detach().cpu() if hasattr(gain, "detach") else gain, np.float64)
    except (TypeError, ValueError):
        raise PolarMonitorError(f"gain: expected numbers (D,), got {type(gain).__name__}") from None
    if gains.shape not in ((), (dimensions,)):
        raise PolarMonitorError(f"gain: expected a number or shape ({dimensions},), got shape {gains.shape}")
    if not (np.isfinite(gains) & (gains >= 0)).all():
        raise PolarMonitorError("gain: expected finite numbers of 0 or more, got some that are not")
    return np.array(np.broadcast_to(gains, (dimensions,)))
