"""Statistics of one latent: rows in, snapshots out.

`LatentStream` keeps the online histograms and a window of the last W rows. The window is transposed to (D, W) float32,
since every kernel works dimension by dimension. Its verbs are `update`, `merge`, `snapshot`, `complete` and `reset`.
`state_dict` carries all state over a restart. The parts are in `rows/`: the window (`ring`), the inputs of its rows
(`input_numbers`), the histograms (`late_histogram`), and codes around the means of their steps (`step_means`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PolarMonitorError
from ..kernels.light.short import shorten
from ..kernels.light.steps import DRIFT, DRIFT_SE, MEAN, VARIANCE
from ..kernels.light.take import clean, take
from ..kernels.mixture import NO_ROWS
from .array_types import F32, Array
from .full import Covered, choose_covered, full_statistics
from .resolution import NO_SCALE, Scale, has_gain
from .rounding import SIZES, rounded
from .rows.input_numbers import InputNumbers
from .rows.late_histogram import LateHistogram
from .rows.ring import RowRing, contiguous
from .rows.step_means import codes_around_steps
from .snapshot import Snapshot
from .thresholds import MIN_EXPLAINED
from .window import NAMES, light_statistics
from .windowed_histogram import histograms_of_log
from .work_space import WorkSpace

WINDOW_BYTES = 64 * 2**20
"""Largest memory of the window's means. Very wide latents get a shorter window."""
MEAN_ROW, VARIANCE_ROW = NAMES.index("mean"), NAMES.index("variance")
NO_PACKED = np.empty((len(NAMES) - 1, 0), np.uint8)
BLOCK_AND_NUMBERS = frozenset(NAMES) - {"non_finite"} | {"resolution", "repeats"}
"""Names of the light statistics that are rows of the block, or numbers: any other one is added to the snapshot."""
LIGHT_SIZES = np.array([SIZES.get(name, 0) for name in NAMES[:-1]])
"""Bytes of each statistic of a light snapshot, 0 of a count; the last name is no statistic of a snapshot."""


class LatentStream:
    """Statistics of a latent with D dimensions over a sliding window of rows.

    `prior` is (mean, variance), each (D,) or a number; None is N(0, 1). `bounded` is for a training thread: full
    snapshots of a wide latent cover some dimensions then, though with `entropies` they have those of all.

    Example:
        >>> stream = LatentStream(2, has_variance=False)
        >>> stream.update(np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32))
        >>> stream.snapshot(step=10).n
        1000
    """

    def __init__(
        self,
        dimensions: int,
        *,
        window: int = 4096,
        has_variance: bool = True,
        prior: tuple[Any, Any] | None = None,
        resolution: float | None = None,
        bounded: bool = False,
        entropies: bool = False,
    ) -> None:
        self.dimensions = dimensions
        self.bounded = bounded
        """True if full snapshots must be quick: they cover some dimensions of a wide latent."""
        self.entropies = entropies
        """True if they have the entropies of all dimensions nevertheless."""
        self.light_seconds = 0.0
        """Seconds of the processor that the latest light statistics took."""
        self.window = rows_of_window(window, dimensions)
        self.has_variance = has_variance
        self.resolution = resolution
        self.scale = NO_SCALE
        """Scale that a decoder gives the dimensions of a code."""
        self.explained = math.nan
        """Share of the loss that the code explains, if the training loop says so."""
        mean, variance = (0.0, 1.0) if prior is None else prior
        self._prior_mean = _per_dimension(mean, dimensions, "the prior's mean")
        self._prior_var = _per_dimension(variance, dimensions, "the prior's variance")
        if not (self._prior_var > 0).all():
            raise PolarMonitorError("prior: expected variances above 0, got some that are not")
        self.reset()

    def reset(self) -> None:
        """Forget everything. The empty state is the identity of `merge`."""
        self._begin(
            RowRing(self.dimensions, self.window, self.has_variance),
            InputNumbers(),
            LateHistogram(self.dimensions, self.window, self.bounded),
        )

    def _begin(self, ring: RowRing, numbers: InputNumbers, histogram: LateHistogram) -> None:
        """Begin with these rows, their inputs and histograms, and without any other count."""
        self._ring, self._numbers, self._histogram = ring, numbers, histogram
        self._work: WorkSpace | None = None
        self.rows = 0
        self.mantissa = 23
        self._surplus = math.nan
        self._statistics: dict[str, Any] = {}
        """Light statistics of the latest snapshot, from which `complete` goes on."""
        self._non_finite: NDArray[np.int64] = np.zeros(self.dimensions, np.int64)

    def update(
        self,
        mean: F32,
        variance: F32 | None = None,
        per: int | NDArray[Any] | None = 1,
        mantissa: int = 23,
        steps: NDArray[np.int64] | int = -1,
        skipped: int = 0,
    ) -> None:
        """Add rows (n, D); `mantissa` is the number of bits of their dtype.

        per: the number of consecutive rows of each input, which rows (n,) begin one (bool), or the number (n,) of the
        input of each row, from 0 on in all updates; None if every row is an input.
        `steps`: optimiser steps at which the rows were recorded, a number or (n,); -1 if they are not known.
        `skipped`: rows that came before these and that the window would not hold any more; 0 if n < the window.
        A variance below 0 counts as NaN. Raises PolarMonitorError for other shapes.
        """
        if mean.ndim != 2 or mean.shape[1] != self.dimensions:
            raise PolarMonitorError(f"mean: expected shape (n, {self.dimensions}), got {mean.shape}")
        if (variance is None) == self.has_variance or (variance is not None and variance.shape != mean.shape):
            got = "none" if variance is None else variance.shape
            expected = f"shape {mean.shape}" if self.has_variance else "none"
            raise PolarMonitorError(f"variance: expected {expected}, got {got}")
        n = mean.shape[0]
        if n == 0:
            return
        self.mantissa = mantissa
        ring, inputs = self._ring, self._numbers.of_new_rows(n, per)
        sides, window, start = (contiguous(mean), NO_ROWS if variance is None else contiguous(variance)), ring.sides, 0
        try:
            while start < n:
                place = ring.place
                count = min(n - start, self.window - place)
                is_clean = take(*sides, *window, start, count, place)
                here = slice(place, place + count)
                ring.inputs[here] = inputs[start : start + count]
                ring.steps[here] = steps if isinstance(steps, int) else steps[start : start + count]
                if not is_clean:
                    clean(*window, place, place + count, self._non_finite)
                ring.advance(count)
                start += count
        except BaseException:  # Ctrl-C too: some rows may be half overwritten, so the window begins again
            ring.clear()
            self._histogram.pending = 0
            raise
        self.rows += n
        self._histogram.pending += n + skipped

    def newest(self, rows: int) -> F32:
        """Return the newest rows (n, D), at most so many, that are finite in all dimensions."""
        return self._ring.newest(rows)

    def columns(self) -> tuple[F32, F32 | None, NDArray[np.int64]]:
        """Return means and variances (D, n) of the window, in storage order, and the inputs (n,) of its rows."""
        return self._ring.columns()

    def held(self) -> tuple[F32, F32 | None, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return means and variances (n, D), the inputs and the steps (n,) of the window, and the counts `non_finite`.

        Rows of an input are side by side.
        """
        mean, variance, inputs = self._ring.by_input(self._numbers.scattered)
        steps = self._ring.steps_by_input(self._numbers.scattered)
        sides = mean.T.copy(), None if variance is None else variance.T.copy()
        return *sides, inputs.copy(), steps.copy(), self._non_finite.copy()

    def count_all(self, rows: int, non_finite: NDArray[np.int64], before: LatentStream | None) -> None:
        """Take the counts of all rows of which the window holds a choice, and the scale of the stream `before`."""
        self.rows, self._non_finite = rows, non_finite
        if before is not None:
            self.scale, self._surplus = before.scale, before._surplus

    @property
    def has_places(self) -> bool:
        """True if some input has several rows."""
        return self._numbers.several

    def merge(self, other: LatentStream) -> None:
        """Add the rows of another stream: counts exactly, the window as if the other's rows came last."""
        if (other.dimensions, other.has_variance) != (self.dimensions, self.has_variance):
            raise PolarMonitorError(
                f"merge: expected {self.dimensions} dimensions and has_variance {self.has_variance}, "
                f"got {other.dimensions} and {other.has_variance}"
            )
        if other.rows == 0:
            return
        mean, variance, inputs = other._ring.columns()
        self.catch_up()
        other.catch_up()
        self._histogram.merge(other._histogram)
        self._non_finite += other._non_finite
        self.rows += other.rows
        self.mantissa = min(self.mantissa, other.mantissa)
        inputs = self._numbers.merge(other._numbers, inputs)
        self._ring.add(mean, variance, inputs, other._ring.steps[: len(inputs)])

    def snapshot(self, step: int, full: bool = True) -> Snapshot:
        """Compute the statistics of the window, all of them if `full`. A statistic that cannot be estimated is NaN."""
        ring, numbers = self._ring, self._numbers
        mean, variance, inputs = ring.by_input(numbers.scattered)
        group = numbers.group(inputs)
        prior = self._prior_mean, self._prior_var
        self._work = work = self._work or WorkSpace(self.dimensions, self.window)
        codes, gain = mean, self.scale.gain
        if not self.has_variance:
            gain = np.zeros(self.dimensions) if self.explained < MIN_EXPLAINED else gain
            codes = codes_around_steps(ring, mean, group, numbers.scattered, work, gain)
        began = thread_time()
        self._statistics = light_statistics(codes, variance, group, *prior, self.resolution, work)
        self.light_seconds = thread_time() - began
        work.release_copies(ring.variance)
        if gain is not None and not self.has_variance:
            work.block[MEAN_ROW], work.block[VARIANCE_ROW] = work.about[MEAN], work.about[VARIANCE]
        n, steps = ring.filled, ring.steps[: ring.filled]
        independent = n
        if group is not None and n:  # the ring may begin within an input
            independent = int(group[-1]) + 1 - int(group[-1] > 0 and inputs[0] == inputs[-1])
        work.block[NAMES.index("non_finite")] = self._non_finite
        arrays = np.empty((len(LIGHT_SIZES), self.dimensions))
        shorten(work.block[:-1], LIGHT_SIZES, arrays, NO_PACKED, work.kinds)
        light = Snapshot.light(
            dict(zip(NAMES, arrays, strict=False)) | ({} if gain is None else {"gain": gain}),
            step=step,
            rows=self.rows,
            n=n,
            independent=math.ceil(independent / self._statistics["repeats"]),
            has_variance=self.has_variance,
            resolution=self._statistics["resolution"],
            repeats=self._statistics["repeats"],
            rows_from=int(steps.min(initial=step)) if n else -1,
            rows_to=int(steps.max(initial=-1)),
            surplus=self._surplus,
            effect=self.scale.effect,
            effect_se=self.scale.effect_se,
            explained=self.explained,
        )
        if len(self._statistics) > len(BLOCK_AND_NUMBERS):
            more = {name: value for name, value in self._statistics.items() if name not in BLOCK_AND_NUMBERS}
            light = rounded(replace(light, **more))
        return self.complete(light) if full else light

    def complete(self, snapshot: Snapshot, remember: bool = True) -> Snapshot:
        """Return the latest snapshot with all statistics. The window must not have changed since.

        Light snapshots have the `surplus` of the last one that was completed to `remember` it.
        """
        if snapshot.full:
            return snapshot
        ring, scattered = self._ring, self._numbers.scattered
        mean, variance, inputs = ring.by_input(scattered)
        group, prior = self._numbers.group(inputs), (self._prior_mean, self._prior_var)
        self._work = work = self._work or WorkSpace(self.dimensions, self.window)
        gain = snapshot.gain if has_gain(snapshot) else None
        codes = codes_around_steps(ring, mean, group, scattered, work, gain)
        if not self._statistics:  # the state was loaded since
            self._statistics = light_statistics(codes, variance, group, *prior, self.resolution)
        covered = self._choose_covered(mean)
        rest = full_statistics(
            mean, variance, group, self.mantissa, *prior, self._statistics, codes, covered, self.entropies
        )
        if remember:
            self._surplus = rest["surplus"]
        snapshot = replace(
            snapshot,
            full=True,
            covered=self.dimensions if covered is None else len(covered.dimensions),
            drift=work.about[DRIFT].copy(),
            drift_se=work.about[DRIFT_SE].copy(),
            **self._histogram.statistics(ring, mean, covered),
            log_variance_histograms=histograms_of_log(variance, snapshot.information),
            **rest,
        )
        return rounded(snapshot)

    def _choose_covered(self, mean: F32) -> Covered | None:
        """Return the dimensions that a full snapshot covers; None for all."""
        if not self.bounded:
            return None
        which = choose_covered(self._statistics["information"], self.light_seconds, self._ring.filled)
        return None if which is None else Covered(which, mean[which])

    def catch_up(self) -> None:
        """Give the histogram the rows that came since it was last read."""
        self._histogram.catch_up(self._ring)

    def state_dict(self) -> dict[str, Any]:
        """Return arrays and numbers that `load_state_dict` restores, bit for bit."""
        self.catch_up()
        return {
            "version": 1,
            "dimensions": self.dimensions,
            "has_variance": self.has_variance,
            **self._ring.state_dict(),
            **self._numbers.state_dict(),
            "surplus": self._surplus,
            "scale": self.scale.state_dict(),
            "rows": self.rows,
            "mantissa": self.mantissa,
            "non_finite": self._non_finite.copy(),
            "histogram": self._histogram.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises PolarMonitorError, and changes nothing, for a state of another shape or version."""
        for key, mine in (
            ("version", 1),
            ("dimensions", self.dimensions),
            ("window", self.window),
            ("has_variance", self.has_variance),
        ):
            if state.get(key) != mine:
                raise PolarMonitorError(f"state: expected {key} {mine}, got {state.get(key)!r}")
        ring = RowRing.from_state(state, self.dimensions, self.window, self.has_variance)
        histogram = LateHistogram(self.dimensions, self.window, self.bounded)
        histogram.load_state_dict(state["histogram"])
        scale = Scale.from_state(state["scale"], self.dimensions) if "scale" in state else NO_SCALE
        numbers = InputNumbers.from_state(state, ring.inputs_by_age())
        surplus, rows, mantissa = float(state["surplus"]), int(state["rows"]), int(state["mantissa"])
        non_finite = np.asarray(state["non_finite"], np.int64).copy()
        self._begin(ring, numbers, histogram)
        self.scale, self._surplus, self.rows, self.mantissa = scale, surplus, rows, mantissa
        self._non_finite = non_finite


def rows_of_window(window: int, dimensions: int) -> int:
    """Return the rows that a window holds of so many dimensions, if `window` are wanted."""
    return max(512, min(window, WINDOW_BYTES // (4 * dimensions)) // 16 * 16)


def _per_dimension(value: Any, dimensions: int, what: str) -> Array:
    array = np.asarray(value, np.float64)
    if array.shape not in ((), (dimensions,)):
        raise PolarMonitorError(f"{what}: expected a number or shape ({dimensions},), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise PolarMonitorError(
            f"{what}: expected finite numbers, got {math.nan if array.ndim == 0 else 'some that are not'}"
        )
    return np.array(np.broadcast_to(array, (dimensions,)))
