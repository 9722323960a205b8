"""Statistics of one latent: rows in, snapshots out.

`LatentStream` keeps the online histograms and a window of the last W rows. The window is transposed to (D, W) float32,
since every kernel works dimension by dimension. Its verbs are `update`, `merge`, `snapshot`, `complete` and `reset`.
`state_dict` carries all state over a restart.
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
from ..kernels.light.inputs import number_inputs
from ..kernels.light.short import shorten
from ..kernels.light.steps import DRIFT, DRIFT_SE, MEAN, VARIANCE, around_steps
from ..kernels.light.take import clean, take
from ..kernels.mixture import NO_ROWS
from .array_types import F32, Array
from .drawn_histograms import CoveredHistograms
from .full import MAX_COVERED, Covered, choose_covered, full_statistics
from .resolution import NO_SCALE, Scale, has_gain
from .rounding import SIZES, rounded
from .snapshot import Snapshot
from .thresholds import MIN_EXPLAINED
from .window import NAMES, light_statistics
from .windowed_histogram import PANES, WindowedHistogram, histograms_of_log
from .work_space import WorkSpace

WINDOW_BYTES = 64 * 2**20
"""Largest memory of the window's means. Very wide latents get a shorter window."""
MIN_STEP_INPUTS = 16
"""Inputs of a step from which on its codes are taken around their mean."""
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
        self._mean: F32 = np.zeros((self.dimensions, self.window), np.float32)
        self._variance: F32 | None = np.ones_like(self._mean) if self.has_variance else None
        self._work: WorkSpace | None = None
        self._input: NDArray[np.int64] = np.zeros(self.window, np.int64)
        self._step: NDArray[np.int64] = np.full(self.window, -1, np.int64)
        self._filled = self._place = 0
        self._inputs = 0
        self._base = 0
        """Number of the input that the callers' numbers count from."""
        self._several = False
        """True if some input has several rows."""
        self._scattered = False
        """True if the rows of some input may lie apart in the window."""
        self.rows = 0
        self._pending = 0
        """Newest rows that the histogram does not have yet."""
        self.mantissa = 23
        self._surplus = math.nan
        self._statistics: dict[str, Any] = {}
        """Light statistics of the latest snapshot, from which `complete` goes on."""
        self._non_finite: NDArray[np.int64] = np.zeros(self.dimensions, np.int64)
        self._histogram = self._empty_histogram()
        """Histograms of all dimensions; None where full snapshots cover some of so many that these take too long."""

    def _empty_histogram(self) -> WindowedHistogram | None:
        if self.bounded and self.dimensions > MAX_COVERED:
            return None
        return WindowedHistogram(self.dimensions, panes=PANES, pane_rows=max(self.window // PANES, 1))

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
        inputs = self._numbers(n, per)
        sides, start = (_contiguous(mean), NO_ROWS if variance is None else _contiguous(variance)), 0
        window = self._mean, NO_ROWS if self._variance is None else self._variance
        try:
            while start < n:
                place = self._place
                count = min(n - start, self.window - place)
                is_clean = take(*sides, *window, start, count, place)
                here = slice(place, place + count)
                self._input[here] = inputs[start : start + count]
                self._step[here] = steps if isinstance(steps, int) else steps[start : start + count]
                if not is_clean:
                    clean(*window, place, place + count, self._non_finite)
                self._advance(count)
                start += count
        except BaseException:  # Ctrl-C too: some rows may be half overwritten, so the window begins again
            self._filled = self._place = self._pending = 0
            raise
        self.rows += n
        self._pending += n + skipped

    def _numbers(self, n: int, per: int | NDArray[Any] | None) -> NDArray[np.int64]:
        """Return the number of the input of each of n new rows."""
        if isinstance(per, np.ndarray) and per.dtype != np.bool_:
            return self._given_numbers(per)
        if isinstance(per, np.ndarray):
            inputs: NDArray[np.int64] = np.maximum(self._inputs - 1 + np.cumsum(per), 0)
            several = int(inputs[-1]) + 1 - self._inputs < n
        else:
            per = per or 1
            inputs, several = np.arange(self._inputs, self._inputs + n, dtype=np.int64), per > 1
            if several:
                inputs = self._inputs + np.arange(n, dtype=np.int64) // per
        self._inputs = self._base = int(inputs[-1]) + 1
        self._several |= several
        return inputs

    def _given_numbers(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of inputs that a caller gives, counted on from those before."""
        inputs, last = numbers + self._base if self._base else numbers, self._inputs - 1
        first, least = int(inputs[0]), int(np.diff(numbers).min(initial=1))
        self._several |= first <= last or least <= 0
        self._scattered |= first < last or least < 0
        self._inputs = max(self._inputs, int(inputs[-1] if least >= 0 else inputs.max()) + 1)
        return inputs

    def _advance(self, count: int) -> None:
        self._place = (self._place + count) % self.window
        self._filled = min(self._filled + count, self.window)

    def newest(self, rows: int) -> F32:
        """Return the newest rows (n, D), at most so many, that are finite in all dimensions."""
        places = np.arange(self._place - min(rows, self._filled), self._place) % self.window
        codes = self._mean[:, places].T
        return np.ascontiguousarray(codes[np.isfinite(codes).all(1)])

    def held(self) -> tuple[F32, F32 | None, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return means and variances (n, D), the inputs and the steps (n,) of the window, and the counts `non_finite`.

        Rows of an input are side by side.
        """
        mean, variance, inputs = self._by_input()
        steps = self._step[: self._filled]
        if self._scattered:
            steps = steps[np.argsort(self._input[: self._filled], kind="stable")]
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
        return self._several

    def merge(self, other: LatentStream) -> None:
        """Add the rows of another stream: counts exactly, the window as if the other's rows came last."""
        if (other.dimensions, other.has_variance) != (self.dimensions, self.has_variance):
            raise PolarMonitorError(
                f"merge: expected {self.dimensions} dimensions and has_variance {self.has_variance}, "
                f"got {other.dimensions} and {other.has_variance}"
            )
        if other.rows == 0:
            return
        mean, variance, inputs = other._rows()
        self.catch_up()
        other.catch_up()
        if self._histogram is not None and other._histogram is not None:
            self._histogram.merge(other._histogram)
        self._non_finite += other._non_finite
        self.rows += other.rows
        self._several |= other._several
        self._scattered |= other._scattered
        self.mantissa = min(self.mantissa, other.mantissa)
        places = (self._place + np.arange(len(inputs))[-self.window :]) % self.window
        self._mean[:, places] = mean[:, -self.window :]
        if self._variance is not None and variance is not None:
            self._variance[:, places] = variance[:, -self.window :]
        self._input[places] = (inputs - inputs.min() + self._inputs)[-self.window :]
        self._step[places] = other._step[: len(inputs)][-self.window :]
        self._advance(len(inputs))
        self._inputs += int(inputs.max() - inputs.min()) + 1
        self._base = self._inputs

    def _rows(self) -> tuple[F32, F32 | None, NDArray[np.int64]]:
        """Return the window as (D, n), (D, n) and (n,), contiguous."""
        n = self._filled
        if n == self.window:
            return self._mean, self._variance, self._input
        mean = np.ascontiguousarray(self._mean[:, :n])
        return mean, None if self._variance is None else np.ascontiguousarray(self._variance[:, :n]), self._input[:n]

    def _by_input(self) -> tuple[F32, F32 | None, NDArray[np.int64]]:
        """Return the window like `_rows`, rows of one input side by side."""
        mean, variance, inputs = self._rows()
        if not self._scattered:
            return mean, variance, inputs
        order = np.argsort(inputs, kind="stable")
        sides = [None if side is None else side.take(order, axis=1) for side in (mean, variance)]
        assert sides[0] is not None
        return sides[0], sides[1], inputs[order]

    def snapshot(self, step: int, full: bool = True) -> Snapshot:
        """Compute the statistics of the window, all of them if `full`. A statistic that cannot be estimated is NaN."""
        mean, variance, inputs = self._by_input()
        group = self._group(inputs)
        prior = self._prior_mean, self._prior_var
        self._work = work = self._work or WorkSpace(self.dimensions, self.window)
        codes, gain = mean, self.scale.gain
        if not self.has_variance:
            gain = np.zeros(self.dimensions) if self.explained < MIN_EXPLAINED else gain
            codes = self._around_steps(mean, inputs, group, work, gain)
        began = thread_time()
        self._statistics = light_statistics(codes, variance, group, *prior, self.resolution, work)
        self.light_seconds = thread_time() - began
        if gain is not None and not self.has_variance:
            work.block[MEAN_ROW], work.block[VARIANCE_ROW] = work.about[MEAN], work.about[VARIANCE]
        n, steps = self._filled, self._step[: self._filled]
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
        mean, variance, inputs = self._by_input()
        group, prior = self._group(inputs), (self._prior_mean, self._prior_var)
        self._work = work = self._work or WorkSpace(self.dimensions, self.window)
        codes = self._around_steps(mean, inputs, group, work, snapshot.gain if has_gain(snapshot) else None)
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
            **self._histograms(mean, covered),
            log_variance_histograms=histograms_of_log(variance, snapshot.information),
            **rest,
        )
        return rounded(snapshot)

    def _choose_covered(self, mean: F32) -> Covered | None:
        """Return the dimensions that a full snapshot covers; None for all."""
        if not self.bounded:
            return None
        which = choose_covered(self._statistics["information"], self.light_seconds, self._filled)
        return None if which is None else Covered(which, mean[which])

    def _histograms(self, mean: F32, covered: Covered | None) -> dict[str, Any]:
        """Return histograms and their entropies by the names of `Snapshot`: those of the window if some are covered."""
        if covered is None and self._histogram is not None:
            self.catch_up()
            values, errors = self._histogram.entropy()[:2]
            return {"entropy_hist": values, "entropy_hist_se": errors, "histograms": self._histogram.draw()}
        covered = Covered(np.arange(self.dimensions), mean) if covered is None else covered
        some = WindowedHistogram(len(covered.dimensions), panes=1)
        some.update(covered.mean)
        values, errors = (covered.spread(part, self.dimensions) for part in some.entropy()[:2])
        drawn = CoveredHistograms(some.draw(), covered.dimensions, self.dimensions)
        return {"entropy_hist": values, "entropy_hist_se": errors, "histograms": drawn}

    def _around_steps(
        self,
        mean: F32,
        inputs: NDArray[np.int64],
        group: NDArray[np.int32] | None,
        work: WorkSpace,
        gain: Array | None,
    ) -> F32:
        """Return codes (D, n) around the means of their steps, in the decoder's scale; with a variance the means.

        The mean, the variance and the movement of the dimensions go to `work.about`.
        """
        steps, place, size = self._step[: self._filled], self._place if self._filled == self.window else 0, 1.0
        if self._scattered:
            steps, place = steps[np.argsort(self._input[: self._filled], kind="stable")], 0
        if group is not None:
            size = len(group) / (int(group[-1]) + 1)
        out = NO_ROWS if self.has_variance else work.codes(self._filled)
        gain = work.ones if gain is None else gain
        around_steps(mean, steps, place, math.ceil(MIN_STEP_INPUTS * size), size, gain, work.about, out)
        return mean if self.has_variance else out

    def catch_up(self) -> None:
        """Give the histogram the rows that came since it was last read: most evaluations do not read it."""
        pending, self._pending = self._pending, 0  # at first: after a failure no row is counted twice
        if pending and self._histogram is not None:
            self._histogram.catch_up(self._mean, pending, self._place)

    def _group(self, inputs: NDArray[np.int64]) -> NDArray[np.int32] | None:
        """Number the inputs (n,) from 0 in the order of their rows; None if every row is an input."""
        if not self._several:
            return None
        group = np.empty(len(inputs), np.int32)
        return group if number_inputs(inputs, group) < len(inputs) else None

    def _ordered(self) -> NDArray[np.int64]:
        """Return the numbers of the inputs of the window, the oldest row first."""
        inputs = self._input[: self._filled]
        return np.roll(inputs, -self._place) if self._filled == self.window else inputs

    def state_dict(self) -> dict[str, Any]:
        """Return arrays and numbers that `load_state_dict` restores, bit for bit."""
        mean, variance, inputs = self._rows()
        self.catch_up()
        return {
            "version": 1,
            "dimensions": self.dimensions,
            "window": self.window,
            "has_variance": self.has_variance,
            "mean": mean.copy(),
            "variance": None if variance is None else variance.copy(),
            "input": inputs.copy(),
            "step": self._step[: self._filled].copy(),
            "surplus": self._surplus,
            "scale": self.scale.state_dict(),
            "place": self._place,
            "inputs": self._inputs,
            "several": self._several,
            "rows": self.rows,
            "mantissa": self.mantissa,
            "non_finite": self._non_finite.copy(),
            "histogram": None if self._histogram is None else self._histogram.state_dict(),
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
        mean = _single(state["mean"])
        if mean.ndim != 2 or mean.shape[0] != self.dimensions or mean.shape[1] > self.window:
            raise PolarMonitorError(f"state: expected means ({self.dimensions}, ≤ {self.window}), got {mean.shape}")
        histogram = self._empty_histogram()
        if histogram is not None:
            if state["histogram"] is None:
                raise PolarMonitorError("state: expected a histogram, got none")
            histogram.load_state_dict(state["histogram"])
        scale = Scale.from_state(state["scale"], self.dimensions) if "scale" in state else NO_SCALE
        n = mean.shape[1]
        self.reset()
        self._histogram = histogram
        self._mean[:, :n] = mean
        if self._variance is not None:
            self._variance[:, :n] = _single(state["variance"])
        self._input[:n] = np.asarray(state["input"], np.int64)
        self._step[:n] = np.asarray(state["step"], np.int64)
        self._surplus = float(state["surplus"])
        self.scale = scale
        self._filled, self._place = n, int(state["place"])
        self._inputs, self._several = int(state["inputs"]), bool(state["several"])
        self._base, self._scattered = self._inputs, bool((np.diff(self._ordered()) < 0).any())
        self.rows, self.mantissa = int(state["rows"]), int(state["mantissa"])
        self._non_finite = np.asarray(state["non_finite"], np.int64).copy()


def rows_of_window(window: int, dimensions: int) -> int:
    """Return the rows that a window holds of so many dimensions, if `window` are wanted."""
    return max(512, min(window, WINDOW_BYTES // (4 * dimensions)) // 16 * 16)


def _contiguous(rows: F32) -> F32:
    """Return rows (n, D) as `take` reads them."""
    return rows if rows.flags.carray and rows.dtype == np.float32 else np.ascontiguousarray(rows, np.float32)


def _single(values: Any) -> F32:
    """Convert to float32. A number beyond its range becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _per_dimension(value: Any, dimensions: int, what: str) -> Array:
    array = np.asarray(value, np.float64)
    if array.shape not in ((), (dimensions,)):
        raise PolarMonitorError(f"{what}: expected a number or shape ({dimensions},), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise PolarMonitorError(
            f"{what}: expected finite numbers, got {math.nan if array.ndim == 0 else 'some that are not'}"
        )
    return np.array(np.broadcast_to(array, (dimensions,)))
