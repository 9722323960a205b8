"""Labels of arrays, without a model or a training run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..arrays.rows import F32
from ..arrays.spread import one_spread
from ..errors import PolarMonitorWarning
from ..regime import published
from ..regime.regime import Regime
from ..statistics.resolution import Scale
from .decoder_scale import scale_by
from .prior import split_prior


def classify(
    mean: Any,
    *,
    logvar: Any = None,
    var: Any = None,
    std: Any = None,
    logstd: Any = None,
    layout: str | None = None,
    mask: Any = None,
    prior: Any = None,
    resolution: float | None = None,
    decoder: Any = None,
    gain: Any = None,
    data_variance: float | None = None,
    criterion: str = "information",
) -> Regime:
    """Return the labels and the verdict for latents of n independent inputs, as a training run would give them.

    Args:
        mean: The posterior means, or codes, (n, D); (n,) is one dimension. Spatial and sequence latents (n, C, H, W)
            and (n, T, D) have one dimension a channel or feature, and 4 places of each input are taken; other orders
            are given by `layout`. An array
            of any real type, a memory map, a tensor on any device, or chunks of rows: an iterator, or another iterable
            such as a DataLoader. A list of arrays may be chunks or inputs and is an error: pass iter(chunks).
        logvar, var, std, logstd: The posterior's spread, at most one, in the shape (and the chunks) of `mean`. True:
            the chunks of `mean` are pairs (mean, spread). Without one no dimension is called mixed.
        layout: Letters of the axes of `mean`, where they are not (n, D), (n, T, D) or (n, C, H, W): n for the inputs, d
            for the dimensions, others for places, as in "tnd" or "nhwd".
        mask: Where `mean` has padding: True at real data, False at padding, which is left out. It has the axes of
            `mean` without its dimensions, as (n, T) beside (n, T, D), or is (n,); chunks beside chunks.
        prior: (mean, variance), each a number or (D,), enters `kl` alone; None is N(0, 1). A conditional prior has at
            least one side of the shape of `mean`, or chunks: rows are standardised by it, (μ − μp) / σp and σ² / σp²,
            and the labels are those beyond the prior. Or a normal distribution of either kind.
        resolution: Without a spread, the noise τ at which the mean is resolved, in the units of the mean; it gives the
            labels of an autoencoder a scale. None is a tenth of the scale of a typical dimension, which compares
            dimensions with each other: a code that has shrunk to nothing then looks like any other.
        decoder: Without a spread, the decoder that takes the codes: a module, or a callable code → output. What it does
            with each dimension gives the scale, whatever the scale of the code; where it ignores the code, no dimension
            is active. It runs in eval mode, and modes, buffers and random numbers are put back.
        gain: In place of it, its gains (D,), as `polar_monitor.decoder_gain` gives them, or a number.
        data_variance: Beside `decoder`, the variance of a number of the data over the inputs: x.var(0).mean(). The
            decoder ignores the code if this changes less than 10⁻⁴ of it. None: of the decoder's outputs, all numbers
            together, which is larger where some are always higher than others.
        criterion: "information", or the name of a published criterion.

    Returns:
        The regime; its `snapshot` has the numbers. Up to 65,536 rows (fewer from 256 dimensions on) all statistics are
        of all rows. If there are more, `classify` keeps an even choice of them, at least half as many and the same
        each time. Every statistic and its error are then of the `snapshot.n` rows kept; `snapshot.rows`, `non_finite`
        and `histograms` count all rows. Memory is bounded for any n.

    Raises:
        PolarMonitorError: Other shapes, chunks that do not fit each other, a negative variance or standard deviation.

    Example:
        >>> import numpy as np, polar_monitor
        >>> rng = np.random.default_rng(0)
        >>> mean = rng.normal(size=(4096, 2)) * [1.0, 0.01]
        >>> regime = polar_monitor.classify(mean, var=np.full((4096, 2), [0.02, 1.0]))
        >>> [str(label) for label in regime.labels], str(regime.verdict)
        (['active', 'passive'], 'polarised')
    """
    kind, spread = one_spread(logvar=logvar, var=var, std=std, logstd=logstd)
    scale = scale_by(mean, kind, resolution, decoder, gain, layout, mask, data_variance)
    regime, doubt = judged(mean, kind, spread, prior, resolution, criterion, layout, mask, scale)
    if doubt:
        warnings.warn(f"polar_monitor: {doubt}", PolarMonitorWarning, stacklevel=2)
    return regime


def judged(
    mean: Any,
    kind: str | None,
    spread: Any,
    prior: Any,
    resolution: float | None,
    criterion: str,
    layout: str | None = None,
    mask: Any = None,
    scale: Callable[[F32, int], Scale] | None = None,
) -> tuple[Regime, str]:
    """Return the regime of `classify`, and its doubt about the unit of the spread ('' for none).

    `kind` is that of `spread`: a unit or None. `scale` gives the decoder's scale of codes (n, D). Raises
    PolarMonitorError as `classify` does.
    """
    from .partial import Partial

    published.check(criterion)
    shared, conditional = split_prior(prior)
    partial = Partial(layout=layout, prior=shared, resolution=resolution)
    return partial.add(mean, kind, spread, mask, conditional).judged(criterion, scale)
