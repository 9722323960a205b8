"""Part of a classification: parts are updated apart, where the latents are, and merged in any order."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import checked_resolution
from ..arrays.layout import axes_of, checked_layout
from ..arrays.rows import F32
from ..arrays.spread import one_spread, unit_doubt
from ..errors import PolarMonitorError, PolarMonitorWarning
from ..regime import published
from ..regime.judge import judge
from ..regime.regime import Regime
from ..statistics.resolution import Scale
from .batches import batches
from .decoder_scale import scale_by
from .prior import split_prior
from .subset import Subset

VERSION = 1
"""Version of the pickled form."""
MIN_ROWS_FOR_DOUBT = 512
"""Rows from which on a spread that fits another unit only is warned of."""


class Partial:
    """Part of what `classify` computes over all inputs.

    `update` adds inputs, `merge` adds other parts, `result` gives the regime. Each input has a number among all, which
    decides whether it is kept: however the inputs are split and in whatever order parts are merged, the result is that
    of `polar_monitor.classify` on all of them in the order of their numbers, to the last bit. An input that comes twice
    is an error. A part has at most the memory of one `classify`, whatever the number of inputs, and can be pickled.

    Args:
        layout: As for `classify`.
        prior: (mean, variance), each a number or (D,), or a conditional one, of which every `update` gives its part.
        resolution: As for `classify`.

    Example:
        >>> import numpy as np
        >>> from polar_monitor.offline import Partial
        >>> rng = np.random.default_rng(0)
        >>> codes = rng.normal(size=(4096, 2)) * [1.0, 0.01]
        >>> spread = np.full((4096, 2), [0.02, 1.0])
        >>> parts = [Partial().update(codes[i : i + 1024], var=spread[i : i + 1024], first=i) for i in (1024, 0)]
        >>> rest = Partial().update(codes[2048:], var=spread[2048:], first=2048)
        >>> regime = rest.merge(*parts).result()
        >>> [str(label) for label in regime.labels], regime.snapshot.n
        (['active', 'passive'], 4096)
    """

    def __init__(self, *, layout: str | None = None, prior: Any = None, resolution: float | None = None) -> None:
        self._layout = checked_layout(layout)
        shared, _ = split_prior(prior)
        self._subset = Subset(shared, checked_resolution(resolution))
        self._next = 0
        self._spreads: dict[str, tuple[float, float]] = {}
        """Smallest and largest value of the spread in each unit that it came in."""

    @property
    def rows(self) -> int:
        """Number of rows so far."""
        return self._subset.rows

    def update(
        self,
        mean: Any,
        *,
        logvar: Any = None,
        var: Any = None,
        std: Any = None,
        logstd: Any = None,
        mask: Any = None,
        prior: Any = None,
        first: int | NDArray[np.integer[Any]] | None = None,
    ) -> Partial:
        """Add inputs, and return the partial itself.

        Args:
            mean: The posterior means, or codes, as `classify` takes them.
            logvar, var, std, logstd: The posterior's spread, at most one, beside it.
            mask: True at real data, as for `classify`.
            prior: (mean, variance) of each of these rows, for a conditional prior.
            first: Number of the first of these inputs among all; the next ones follow. Or the numbers (n,) of all of
                them. None: they follow those that this partial has had.

        Raises PolarMonitorError, and adds nothing, for arguments that cannot be used.
        """
        kind, spread = one_spread(logvar=logvar, var=var, std=std, logstd=logstd)
        shared, conditional = split_prior(prior)
        if shared is not None:
            raise PolarMonitorError("prior: expected one of each row, got one for all rows: write Partial(prior=…)")
        return self.add(mean, kind, spread, mask, conditional, checked_first(first, mean, self._layout, self._next))

    def add(
        self,
        mean: Any,
        kind: str | None,
        spread: Any,
        mask: Any = None,
        prior: tuple[Any, Any] | None = None,
        first: int | NDArray[np.int64] = 0,
    ) -> Partial:
        """Add inputs like `update`, with a spread of a kind."""
        new, added = Subset(self._subset.prior, self._subset.resolution), 0
        smallest, largest = np.inf, -np.inf
        for batch in batches(mean, kind, spread, prior, self._layout, mask, first):
            n = batch.inputs
            numbers = first[added : added + n] if isinstance(first, np.ndarray) else first + added + np.arange(n)
            new.add(batch, numbers)
            smallest, largest, added = min(smallest, batch.smallest), max(largest, batch.largest), added + n
        self._merge(new, {} if kind is None else {kind: (smallest, largest)}, "these rows")
        end = int(first.max()) + 1 if isinstance(first, np.ndarray) else first + added
        self._next = max(self._next, end)
        return self

    def merge(self, *others: Partial) -> Partial:
        """Add the inputs of other partials, which stay as they are, and return the partial itself.

        Raises PolarMonitorError for a partial of other dimensions, with other arguments, or with a variance beside one
        without.
        """
        for other in others:
            if not isinstance(other, Partial):
                raise PolarMonitorError(f"merge: expected a Partial, got {type(other).__name__}")
            mine, theirs = self._arguments(), other._arguments()
            if mine != theirs:
                raise PolarMonitorError(f"merge: expected a partial of the same arguments, got {mine} and {theirs}")
            self._merge(other._subset, other._spreads, "the other partial")
            self._next = max(self._next, other._next)
        return self

    def result(
        self, *, criterion: str = "information", decoder: Any = None, gain: Any = None, data_variance: Any = None
    ) -> Regime:
        """Return the regime of all inputs so far, as `classify` does; more may be added later.

        The arguments are those of `classify`; a decoder takes codes (n, D) here. Raises PolarMonitorError without a
        row, and for an input that came twice.
        """
        kind, resolution = next(iter(self._spreads), None), self._subset.resolution
        scale = scale_by(None, kind, resolution, decoder, gain, data_variance=data_variance)
        regime, doubt = self.judged(criterion, scale)
        if doubt:
            warnings.warn(f"polar_monitor: {doubt}", PolarMonitorWarning, stacklevel=2)
        return regime

    def judged(self, criterion: str, scale: Callable[[F32, int], Scale] | None) -> tuple[Regime, str]:
        """Return the regime, and the doubt about the unit of the spread ('' for none)."""
        published.check(criterion)
        subset = self._subset
        if subset.shape is None:
            raise PolarMonitorError("result: expected at least one row, got none: call update(…) first")
        enough = subset.rows >= MIN_ROWS_FOR_DOUBT
        doubts = [unit_doubt(kind, *ends) for kind, ends in sorted(self._spreads.items()) if enough]
        snapshot = subset.snapshot(scale)
        regime = judge(snapshot, None, criterion)
        if snapshot.n < snapshot.rows:
            reason = f"from {snapshot.n} of {snapshot.rows} rows, chosen evenly"
            regime = replace(regime, reasons=(*regime.reasons, reason))
        return regime, next(filter(None, doubts), "")

    def _merge(self, subset: Subset, spreads: dict[str, tuple[float, float]], word: str) -> None:
        mine, theirs = self._subset.shape, subset.shape
        if mine is not None and theirs is not None and mine != theirs:
            raise PolarMonitorError(f"expected {_described(mine)}, as so far, got {_described(theirs)} in {word}")
        self._subset.merge(subset)
        for kind, (smallest, largest) in spreads.items():
            low, high = self._spreads.get(kind, (np.inf, -np.inf))
            self._spreads[kind] = min(low, smallest), max(high, largest)

    def _arguments(self) -> str:
        prior = self._subset.prior
        shared = "None" if prior is None else f"({prior[0]}, {prior[1]})"
        return f"Partial(layout={self._layout!r}, prior={shared}, resolution={self._subset.resolution})"

    def __getstate__(self) -> dict[str, Any]:
        return {"version": VERSION, **vars(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        version = state.pop("version", None)
        if version != VERSION:
            raise PolarMonitorError(
                f"Partial: expected a state of version {VERSION}, got {version}: run all parts with the same version "
                "of polar_monitor"
            )
        vars(self).update(state)


def checked_first(first: Any, mean: Any, layout: str | None, following: int) -> int | NDArray[np.int64]:
    """Return the number of the first input, or those (n,) of all. Raises PolarMonitorError for anything else."""
    if first is None:
        return following
    numbers = np.asarray(first)
    if numbers.dtype.kind not in "iu" or numbers.ndim > 1 or (numbers < 0).any():
        raise PolarMonitorError(f"first: expected a number of 0 or more, or such numbers (n,), got {first!r}")
    if numbers.ndim == 0:
        return int(numbers)
    shape = getattr(mean, "shape", None)
    inputs = None if shape is None else shape[axes_of(layout, len(shape)).index("n")]
    if inputs != len(numbers):
        got = "chunks" if shape is None else f"{inputs} inputs"
        raise PolarMonitorError(
            f"first: expected one number for each input of an array, got {len(numbers)} numbers for {got}"
        )
    return numbers.astype(np.int64)


def _described(shape: tuple[int, bool]) -> str:
    return f"{shape[0]} dimensions with{'' if shape[1] else 'out'} a variance"
