"""Pipeline of one mode: from the ring of one latent to its regime and its alerts."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._validation import state_count
from ..alerts.custom_rule import to_json
from ..alerts.engine import AlertEngine
from ..alerts.observation import Observation
from ..arrays.layout import described
from ..arrays.padding import PaddingLook
from ..arrays.spread import UNITS, ends_of, to_variance, unit_doubt
from ..capture.axes import Axes
from ..capture.compiled import letters_of
from ..capture.ring import PairedRingBuffer
from ..capture.row_buffer import capacity_of
from ..capture.transfer import Batch, HostTransfer
from ..context import Context
from ..distributed.share import Share
from ..errors import PolarMonitorError, log_line, warn
from ..evaluation import Evaluation, Health
from ..regime.judge import completed, judge
from ..regime.regime import Regime
from ..schedule import quiet
from ..statistics.full import FIRST_SECONDS
from ..statistics.snapshot import Snapshot
from .options import Settings
from .summary import left_out, put_off

if TYPE_CHECKING:
    from ..statistics.stream import LatentStream
    from .sources.watched_decoder import WatchedDecoder

MIN_ROWS_FOR_UNIT = 1024
"""Rows after which a spread that only fits another unit raises a warning."""
MIN_WIDTH_CHANGES = 4
"""Changes of the number of dimensions between two forwards that raise a warning: two latents come in turn."""
FULL_EVERY = 8
"""Every so many evaluations, one computes all statistics; the others compute what labels and alerts need."""


class ModePipeline:
    """State of one mode, "train" or "eval". It makes the stream when the first row shows the number of dimensions."""

    def __init__(self, mode: str, kind: str | None, settings: Settings, dimensions: int | None) -> None:
        self.mode = mode
        self.kind = kind
        self.settings = settings
        self.ring = PairedRingBuffer(2 * settings.window, kind is not None)
        self.ring.in_training = mode == "train"
        self.axes = Axes()
        """Axes of the latents that the user hands over."""
        self.stream = None if dimensions is None else self._new_stream(dimensions)
        self.snapshot: Snapshot | None = None
        self.regime: Regime | None = None
        self.alerts = AlertEngine(settings.extra)
        self.merged: LatentStream | None = None
        """Rows of all ranks at the latest merge; None if no ranks were merged."""
        self._counts: NDArray[np.int64] | None = None
        """Counters of all ranks at that time."""
        self.loaded = False
        """True from the load of a state to the next evaluation."""
        self.loaded_shared = False
        """True if that state is of all ranks."""
        self.transfers: list[HostTransfer] = []
        """Requested rows that are not yet taken into the statistics."""
        self.dropped = 0
        """Rows lost between the ring and the statistics."""
        self.skipped = 0
        """Rows that newer ones replaced before they were read: the window would not have held them any more."""
        self.seen = 0
        """Rows that reached the statistics, in this process."""
        self.observed = 0
        """Rows that reached them since the latest evaluation."""
        self.light = 0
        """Light evaluations since the latest full one."""
        self.restless = True
        """True if the latest evaluation differs from the one before, or raised an alert."""
        self.decoder: WatchedDecoder | None = None
        """The decoder of a code, which full evaluations measure."""
        self.spread_name = ""
        """Quoted name of the module that gives the spread, for messages; '' without such a module."""
        self.left_out = ""
        """Text on the dimensions that the latest full snapshot left out of a wide latent; '' for none."""
        self.padding = PaddingLook()
        self._letters = ""
        """Letters of the axes of the rows in the stream."""
        self.refused_unit = False
        self.refused_width = False
        """True if rows were dropped because their spread is below 0, which its unit cannot be: a warning says so."""
        self._min_spread = np.inf
        self._max_spread = -np.inf
        self._failure: Exception | None = None
        self._unit_checked = False

    def _new_stream(self, dimensions: int, window: int | None = None) -> LatentStream:
        from ..statistics.stream import LatentStream

        s = self.settings
        paired = self.kind is not None
        return LatentStream(
            dimensions, window=window or s.window, has_variance=paired, prior=s.prior, resolution=s.resolution,
            bounded=True, entropies=s.criterion != "information",
        )  # fmt: skip

    @property
    def reading(self) -> str:
        """Text that says how the axes of the first latent are read; '' before it."""
        letters, shape = self.ring.letters, self.ring.shape
        compiled = letters_of(self.ring.mean.key)
        if not letters and compiled and self.stream is not None:
            return described(compiled, None, self.stream.dimensions)
        return described(letters, shape) if letters else ""

    @property
    def rows_dropped(self) -> int:
        """Rows that were lost before the statistics."""
        return self.dropped + self.ring.lost + self.ring.refused

    def request(self, step: int) -> None:
        """Begin to copy the rows that wait in the ring; those of an open step get `step`."""
        self.ring.requests(step, self.transfers)

    def ready(self) -> bool:
        """Return True if all requested rows have arrived."""
        return all(transfer.ready() for transfer in self.transfers)

    def wait(self) -> None:
        """Wait until all requested rows have arrived."""
        for transfer in self.transfers:
            transfer.wait()

    def ingest(self) -> None:
        """Take the requested rows into the statistics."""
        while self.transfers:
            transfer, counted, batch = self.transfers.pop(0), self._counted, None
            try:
                batch = transfer.take()
                if batch is not None:
                    self._take(batch)
            except BaseException:  # Ctrl-C too
                rows = transfer.rows if batch is None else len(batch.mean) + batch.dropped
                self.dropped += max(rows - (self._counted - counted), 0)
                raise

        if self.ring.width_changes >= MIN_WIDTH_CHANGES:  # the ring has dropped the rows before each change
            self.refuse_width(self.ring.widths[1], self.ring.widths[0], 0)

    @property
    def _counted(self) -> int:
        return self.seen + self.dropped + self.skipped

    def ingest_pending(self, step: int) -> None:
        """Bring all parts of the state to the rows that wait at `step`."""
        self.complete()  # from the rows of its evaluation, before others come
        self.request(step)
        self.wait()
        self.ingest()
        if self.stream is not None:
            self.stream.catch_up()

    def _take(self, batch: Batch) -> None:
        dimensions = batch.mean.shape[1]
        if self.stream is not None and self.stream.dimensions != dimensions and self.ring.letters != self._letters:
            self._restart()
        if self.stream is None or (self.stream.dimensions != dimensions and self.stream.rows == 0):
            self.stream = self._new_stream(dimensions)
        if self.stream.dimensions != dimensions:
            self.refuse_width(dimensions, self.stream.dimensions, len(batch.mean))
            return
        self._letters = self.ring.letters
        missed = min(batch.dropped, max(self.stream.window - len(batch.mean), 0))
        self.dropped, self.skipped = self.dropped + missed, self.skipped + batch.dropped - missed
        variance = None
        if self.kind is not None and batch.spread is not None:
            self.check_unit(batch.spread, self.kind)
            if UNITS[self.kind].positive and np.fmin.reduce(batch.spread, axis=None, initial=0.0) < 0:
                self.refused_unit = True
                self.dropped += len(batch.mean)
                return
            variance = to_variance(batch.spread, self.kind, out=batch.spread)  # the ring's memory, which is read once
        if len(self.ring.letters) == 3:
            self.padding.look(batch.mean, batch.inputs, batch.steps, batch.number)
        skipped = 0 if missed else batch.dropped
        self.stream.update(batch.mean, variance, batch.inputs, self.ring.mantissa, batch.steps, skipped)
        self.seen += batch.mean.shape[0]
        self.observed += batch.mean.shape[0]
        self._skip_older()

    def merge(self, share: Share) -> None:
        """Take the rows of all ranks for the next evaluation. Those of this rank stay for the next merge."""
        stream = self._new_stream(share.mean.shape[1], max(-(-share.rows // 16) * 16, self.settings.window))
        stream.update(share.mean, share.variance, share.inputs, share.mantissa, share.steps)
        stream.count_all(int(share.counts[0]), share.non_finite, self.merged)
        self.merged, self._counts, self.observed = stream, share.counts, int(share.counts[1])

    def begin_shared(self) -> None:
        """Forget what this rank concluded from its own rows, unless all ranks have loaded the same."""
        if not self.loaded_shared:
            self.snapshot, self.regime, self.light = None, None, 0
            self.alerts = AlertEngine(self.settings.extra)
            self.observed = 0 if self.stream is None else self.stream.rows

    @property
    def judged(self) -> LatentStream | None:
        """Stream that evaluations read."""
        return self.stream if self.merged is None else self.merged

    def _skip_older(self) -> None:
        """Count the rows beyond those that the ring holds as skipped, whether or not a look took them in before."""
        assert self.stream is not None
        older = self.observed - capacity_of(self.ring.mean.max_rows, self.stream.dimensions)
        if older > 0:
            self.observed, self.seen, self.skipped = self.observed - older, self.seen - older, self.skipped + older
            self.stream.rows -= older

    def refuse_width(self, dimensions: int, expected: int, rows: int) -> None:
        """Drop rows with another number of dimensions than those before. The first ones are a warning."""
        self.dropped += rows
        if not self.refused_width:
            self.refused_width = True
            warn(
                f"the latent had {expected} dimensions, and now has {dimensions}: rows with another number are dropped "
                "and counted in monitor.health().rows_dropped. If it has changed for good, attach a new monitor; if "
                'two latents come in turn, give each its own: attach(model, mean=…, name="…")'
            )

    def _restart(self) -> None:
        """Forget the rows that were read with other axes, and all that was concluded from them."""
        if self.stream is not None and self.stream.rows:
            warn(
                f"the latent's axes were read as {self._letters!r}, but a size that varies is no number of dimensions: "
                f"{self.reading}; the statistics begin again. If that is wrong, write layout="
            )
        self.stream = self.snapshot = self.regime = None
        self.alerts, self.observed, self.light = AlertEngine(self.settings.extra), 0, 0

    def check_unit(self, spread: NDArray[np.float32], kind: str) -> None:
        """Warn, once, of a spread whose values fit another unit than the argument that it was passed as."""
        if self._unit_checked:
            return
        self._min_spread, self._max_spread = ends_of(spread, self._min_spread, self._max_spread)
        settled = self.seen >= MIN_ROWS_FOR_UNIT or self._min_spread < 0
        doubt = unit_doubt(kind, self._min_spread, self._max_spread) if settled else ""
        self._unit_checked = bool(doubt) or UNITS[kind].settles(self._min_spread)
        if doubt:
            warn(f"{self.spread_name} was read as {kind}, but {doubt}" if self.spread_name else doubt)

    def evaluate(
        self,
        step: int,
        context: Context,
        health: Callable[[], Health],
        full: bool = False,
    ) -> Evaluation:
        """Take a snapshot at `step`, judge it, ask for alerts, and return the record; `health` is called at the end.

        The snapshot has all statistics if `full`, if it is the first of a latent that is not very wide, every
        `FULL_EVERY`-th time, if the verdict changes, and always with a published criterion or with rules of third
        parties, which may read any of them.
        """
        resumed, observed, s = self.resumed(), self.observed, self.settings
        earlier, before = self.snapshot, self.regime
        stream = self.judged
        if stream is not None and stream.rows:
            full = full or bool(s.extra) or s.criterion != "information" or self.light + 1 >= FULL_EVERY
            first = self.snapshot is None and not full
            decoder = self.decoder
            if decoder is not None:
                stream.scale = decoder.scale(stream, self.ring, begins=full or first)
            is_plain_code = self.kind is None and stream.scale.gain is None
            stream.explained = context.explained if is_plain_code else math.nan
            snapshot = stream.snapshot(step, full)
            if first and not self._is_put_off(stream):
                full, snapshot = True, stream.complete(snapshot)
            self.snapshot = snapshot
            if decoder is not None and not full and stream.scale.is_outdated(self.snapshot.variance):
                full, stream.scale = True, decoder.scale(stream, self.ring)
                self.snapshot = stream.snapshot(step, full)
            self.regime = judge(self.snapshot, before, s.criterion)
            self.light = 0 if full else self.light + 1
            if not full and before is not None and before.verdict is not self.regime.verdict:
                self.light = FULL_EVERY  # if it fails, the next one is full
                try:
                    self.complete(remember=True)
                    self.light = 0
                except Exception as failure:  # raised by `raise_failure`, when the alerts of this one are known
                    self._failure = failure
        self._tell_what_is_left_out()
        observation = Observation(step, observed, self.snapshot, self.regime, context)
        alerts = self.alerts.evaluate(observation, s.rules, s.warmup)
        self.loaded, self.observed = False, 0  # at last: rows of an evaluation that fails are evaluated again
        self.restless = bool(alerts) or quiet.differs(earlier, self.snapshot) or quiet.relabelled(before, self.regime)
        alerts = tuple(replace(alert, name=s.name, mode=self.mode) for alert in alerts)
        return Evaluation(
            step, time.time(), s.name, self.mode, observed, self.snapshot, self.regime, alerts, health(), context,
            resumed=resumed,
        )  # fmt: skip

    def _is_put_off(self, stream: LatentStream) -> bool:
        """Return True, and say so, if the latent is so wide that the rest of the first snapshot comes later."""
        if stream.light_seconds <= FIRST_SECONDS:
            return False
        self.left_out = put_off(stream.dimensions)
        log_line(logging.INFO, "%s", self.left_out)
        return True

    def _tell_what_is_left_out(self) -> None:
        """Keep what the latest full snapshot left out, and log it once."""
        if self.snapshot is None or not self.snapshot.full:
            return
        first, self.left_out = not self.left_out, left_out(self.snapshot)
        if first and self.left_out:
            log_line(logging.INFO, "%s", self.left_out)

    def raise_failure(self) -> None:
        """Raise what failed in the completion of the latest evaluation."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def seen_later(self, step: int, health: Health) -> Evaluation | None:
        """Return the latest evaluation as seen from a later `step` without new rows; None before the first."""
        if self.snapshot is None:
            return None
        name, mode = self.settings.name, self.mode
        return Evaluation(step, time.time(), name, mode, 0, self.snapshot, self.regime, (), health)

    def complete(self, remember: bool = False) -> None:
        """Compute what the latest snapshot lacks, from the same rows. Later evaluations do not `remember` a look."""
        snapshot, regime, stream = self.snapshot, self.regime, self.judged
        if snapshot is None or snapshot.full or stream is None or stream.rows != snapshot.rows:
            return
        self.snapshot = stream.complete(snapshot, remember)
        if regime is not None:
            self.regime = completed(regime, self.snapshot)  # `surplus` may be known now

    def resumed(self) -> str | None:
        """Return the state of the alerts as JSON if it was loaded after the latest evaluation: a log may begin here."""
        return to_json(self.alerts.state_dict()) if self.loaded else None

    def state_dict(self) -> dict[str, Any]:
        """Return everything on which the next evaluations depend; of merged ranks, what all of them had then."""
        stream, written, counts = self.stream, self.ring.rows, (self.dropped, self.skipped, self.seen, self.observed)
        if self.merged is not None and self._counts is not None:
            stream = self._new_stream(self.merged.dimensions)
            stream.merge(self.merged)
            stream.count_all(self.merged.rows, self.merged.held()[-1], self.merged)
            written, (_, _, seen, dropped, skipped) = self.merged.rows, self._counts[:5].tolist()
            counts = dropped, skipped, seen, 0
        return {
            "kind": self.kind,
            "merged": self.merged is not None,
            "stream": None if stream is None else stream.state_dict(),
            "snapshot": None if self.snapshot is None else self.snapshot.to_dict(),
            "regime": None if self.regime is None else self.regime.to_dict(),
            "alerts": self.alerts.state_dict(),
            "written": written,
            **dict(zip(("dropped", "skipped", "seen", "observed"), counts, strict=True)),
            "light": self.light,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises, and changes nothing, if it does not fit."""
        stream = None
        if state["stream"] is not None:
            stream = self._new_stream(int(state["stream"]["dimensions"]))
            stream.load_state_dict(state["stream"])
        snapshot = None if state["snapshot"] is None else Snapshot.from_dict(state["snapshot"])
        regime = None if state["regime"] is None else Regime.from_dict(state["regime"], snapshot)
        alerts = AlertEngine(self.settings.extra)
        alerts.load_state_dict(state["alerts"])
        names = ("dropped", "skipped", "seen", "observed", "written", "light")
        dropped, skipped, seen, observed, written, light = (int(state[name]) for name in names)
        self.stream, self.snapshot, self.regime, self.alerts, self.loaded = stream, snapshot, regime, alerts, True
        self.dropped, self.skipped, self.seen, self.observed = dropped, skipped, seen, observed
        self.ring.rows, self.light = written, light
        self.loaded_shared = bool(state.get("merged"))

    def count_from_zero(self) -> None:
        """Forget the rows and their counts: another rank continues them."""
        self.stream, self.ring.rows = None, 0
        self.dropped = self.skipped = self.seen = self.observed = 0

    def adopt(self, other: ModePipeline, step: int) -> None:
        """Continue from another pipeline's state, saved at `step`. The ring stays, since the taps write to it."""
        self.stream, self.snapshot, self.regime = other.stream, other.snapshot, other.regime
        self.alerts.adopt(other.alerts)
        self.loaded, self.loaded_shared = other.loaded, other.loaded_shared
        self.dropped, self.skipped, self.seen = other.dropped, other.skipped, other.seen
        self.observed = other.observed
        self.light = other.light
        self.ring.requests(step)  # waiting rows belong to the earlier run
        self.transfers.clear()
        self.ring.rows = other.ring.rows

    def release_user_objects(self, settings: Settings) -> None:
        """Drop the rules of third parties and the decoder; `settings` are the same without the rules."""
        self.decoder = self.padding.listener = self.ring.full_codes = None
        self.settings, self.alerts.custom_rules = settings, ()


def check_pipeline(pipeline: ModePipeline, saved: Mapping[str, Any]) -> None:
    """Check that the loaded parts fit together: one of another shape would break every later evaluation."""
    stream, dimensions = pipeline.stream, None if pipeline.stream is None else pipeline.stream.dimensions
    if stream is not None:
        state = stream.state_dict()
        n = state["mean"].shape[1]
        state_count("place", state["place"], 0, stream.window)
        state_count("several", int(state["several"]))
        state_count("mantissa", state["mantissa"], 1, 53)
        for word in ("inputs", "rows"):
            state_count(word, state[word])
        shapes: dict[str, tuple[int | None, ...]] = {"input": (n,), "step": (n,), "non_finite": (dimensions,)}
        if stream.has_variance:
            shapes["variance"] = (dimensions, n)
        for word, shape in shapes.items():
            if np.shape(saved["stream"][word]) != shape:
                raise PolarMonitorError(f"state: {word} must have shape {shape}, got {np.shape(saved['stream'][word])}")
        if n < stream.window and state["place"] != n:
            raise PolarMonitorError(f"state: place must be {n} after {n} rows, got {state['place']}")
    widths = pipeline.alerts.widths
    if pipeline.snapshot is not None:
        data = vars(pipeline.snapshot).values()
        widths |= {value.shape for value in data if isinstance(value, np.ndarray) and value.shape != (dimensions,)}
        widths.add(pipeline.snapshot.dimensions)
    if pipeline.regime is not None:
        widths |= {len(pipeline.regime.labels), len(pipeline.regime.latest)}
    if widths - {dimensions}:
        raise PolarMonitorError(f"state: expected {dimensions} dimensions in all parts, got {sorted(map(str, widths))}")
