"""A lane: one latent in one mode, from its ring to its regime and the state of its alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._validation import state_count
from ..alerts.alert import Alert
from ..alerts.custom_rule import to_json
from ..alerts.engine import AlertEngine
from ..alerts.observation import Observation
from ..arrays.spread import to_variance, unit_doubt
from ..capture.ring import PairedRingBuffer
from ..capture.transfer import Batch, HostTransfer
from ..context import Context
from ..errors import PolarMonitorError, warn
from ..regime.judge import judge
from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot
from .options import Settings

if TYPE_CHECKING:
    from ..statistics.stream import LatentStream

SUSPICIOUS = 1024
"""Rows after which a spread that fits another unit only is pointed out."""


class ModePipeline:
    """The state of one mode ("train" or "eval"); the stream is made when the first row tells the dimensions."""

    def __init__(self, mode: str, kind: str | None, settings: Settings, dimensions: int | None) -> None:
        self.mode = mode
        self.kind = kind
        self.settings = settings
        self.ring = PairedRingBuffer(2 * settings.window, kind is not None)
        self.stream = None if dimensions is None else self._new_stream(dimensions)
        self.snapshot: Snapshot | None = None
        self.regime: Regime | None = None
        self.alarms = AlertEngine(settings.extra)
        self.loaded = False
        """Whether nothing has been evaluated since a state was taken back."""
        self.drains: list[HostTransfer] = []
        self.dropped = 0
        self.seen = 0
        """Rows that reached the statistics, in this process."""
        self.observed = 0
        """Rows that did so since the last evaluation."""
        self._least = np.inf
        self._greatest = -np.inf
        self._checked = False

    def _new_stream(self, dimensions: int) -> LatentStream:
        from ..statistics.stream import LatentStream

        s = self.settings
        paired = self.kind is not None
        return LatentStream(dimensions, window=s.window, has_variance=paired, prior=s.prior, resolution=s.resolution)

    def ready(self) -> bool:
        """Whether all that was asked for has arrived."""
        return all(drain.ready() for drain in self.drains)

    def wait(self) -> None:
        """Wait until it has."""
        for drain in self.drains:
            drain.wait()

    def ingest(self) -> None:
        """Take what the ring has handed out into the statistics."""
        while self.drains:
            batch = self.drains.pop(0).take()
            if batch is None:
                continue
            try:
                self._take(batch)
            except Exception:
                self.dropped += batch.mean.shape[0]
                raise

    def _take(self, batch: Batch) -> None:
        self.dropped += batch.dropped
        dimensions = batch.mean.shape[1]
        if self.stream is None or (self.stream.dimensions != dimensions and self.stream.rows == 0):
            self.stream = self._new_stream(dimensions)
        variance = None
        if self.kind is not None and batch.spread is not None:
            if not self._checked:
                self._check(batch.spread, self.kind)
            variance = to_variance(batch.spread, self.kind)
        self.stream.update(batch.mean, variance, batch.rows_per_input, self.ring.mantissa)
        self.seen += batch.mean.shape[0]
        self.observed += batch.mean.shape[0]

    def _check(self, spread: NDArray[np.float32], kind: str) -> None:
        """Point out, once, a spread whose values fit another unit than the one it was passed as."""
        self._least = min(self._least, float(np.nanmin(spread, initial=np.inf)))
        self._greatest = max(self._greatest, float(np.nanmax(spread, initial=-np.inf)))
        settled = self.seen >= SUSPICIOUS or self._least < 0
        said = unit_doubt(kind, self._least, self._greatest) if settled else ""
        if said:
            self._checked = True
            warn(said)

    def evaluate(self, step: int, context: Context) -> tuple[int, tuple[Alert, ...]]:
        """Snapshot, labels and alerts at `step`; returns the rows observed since the last time, and the alerts."""
        observed, self.observed = self.observed, 0
        s = self.settings
        if self.stream is not None and self.stream.rows:
            self.snapshot = self.stream.snapshot(step)
            self.regime = judge(self.snapshot, self.regime, s.criterion)
        observation = Observation(step, observed, self.snapshot, self.regime, context)
        alerts = self.alarms.evaluate(observation, s.rules, s.warmup)
        self.loaded = False
        return observed, tuple(replace(alert, name=s.name, mode=self.mode) for alert in alerts)

    def resumed(self) -> str | None:
        """The state of the alarms as JSON, where none was evaluated since it was taken back: a log may begin here."""
        return to_json(self.alarms.state_dict()) if self.loaded else None

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what is said from here on."""
        return {
            "kind": self.kind,
            "stream": None if self.stream is None else self.stream.state_dict(),
            "snapshot": None if self.snapshot is None else self.snapshot.to_dict(),
            "regime": None if self.regime is None else self.regime.to_dict(),
            "alerts": self.alarms.state_dict(),
            "written": self.ring.rows,
            "dropped": self.dropped,
            "seen": self.seen,
            "observed": self.observed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back; raises, and changes nothing, if it does not fit."""
        stream = None
        if state["stream"] is not None:
            stream = self._new_stream(int(state["stream"]["dimensions"]))
            stream.load_state_dict(state["stream"])
        snapshot = None if state["snapshot"] is None else Snapshot.from_dict(state["snapshot"])
        regime = None if state["regime"] is None else Regime.from_dict(state["regime"], snapshot)
        alarms = AlertEngine(self.settings.extra)
        alarms.load_state_dict(state["alerts"])
        dropped, seen, observed, written = (int(state[key]) for key in ("dropped", "seen", "observed", "written"))
        self.stream, self.snapshot, self.regime, self.alarms, self.loaded = stream, snapshot, regime, alarms, True
        self.dropped, self.seen, self.observed, self.ring.rows = dropped, seen, observed, written

    def take_over(self, other: ModePipeline) -> None:
        """Go on from where another lane is; the ring stays, since the taps write to it."""
        self.stream, self.snapshot, self.regime = other.stream, other.snapshot, other.regime
        self.alarms.adopt(other.alarms)
        self.loaded = other.loaded
        self.dropped, self.seen, self.observed = other.dropped, other.seen, other.observed
        self.ring.requests()  # what waited was of before
        self.drains.clear()
        self.ring.rows = other.ring.rows


def check_pipeline(lane: ModePipeline, saved: Mapping[str, Any]) -> None:
    """Whether the parts of a lane belong together: what is of another shape would break every later evaluation."""
    stream, dimensions = lane.stream, None if lane.stream is None else lane.stream.dimensions
    if stream is not None:
        state = stream.state_dict()
        n = state["mean"].shape[1]
        state_count("place", state["place"], 0, stream.window)
        state_count("per", state["per"], 1)
        state_count("mantissa", state["mantissa"], 1, 53)
        for word in ("inputs", "rows"):
            state_count(word, state[word])
        shapes: dict[str, tuple[int | None, ...]] = {"input": (n,), "non_finite": (dimensions,)}
        if stream.has_variance:
            shapes["variance"] = (dimensions, n)
        for word, shape in shapes.items():
            if np.shape(saved["stream"][word]) != shape:
                raise PolarMonitorError(f"state: expected {word} {shape}, got {np.shape(saved['stream'][word])}")
        if n < stream.window and state["place"] != n:
            raise PolarMonitorError(f"state: expected place {n}, after {n} rows, got {state['place']}")
    widths = lane.alarms.widths
    if lane.snapshot is not None:
        data = vars(lane.snapshot).values()
        widths |= {value.shape for value in data if isinstance(value, np.ndarray) and value.shape != (dimensions,)}
        widths.add(lane.snapshot.dimensions)
    if lane.regime is not None:
        widths |= {len(lane.regime.labels), len(lane.regime.latest), len(lane.regime.agreeing)}
    if widths - {dimensions}:
        raise PolarMonitorError(f"state: expected {dimensions} dimensions everywhere, got {sorted(map(str, widths))}")
