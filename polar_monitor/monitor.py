"""The conductor: taps fill rings, the clock ticks, evaluations run and go to the sinks."""

from __future__ import annotations

import logging
import math
import os
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from . import describe
from ._compat import is_plain
from .alerts import Alert, AlertKind
from .clock import Clock
from .errors import CollapseError, PolarMonitorError, PolarMonitorWarning
from .evaluation import Evaluation, Health
from .governor import Governor
from .hooks import Tap
from .lane import Lane, Settings
from .latents import Latent
from .regime import Regime
from .sinks import Sink
from .sinks.group import SinkGroup
from .snapshot import Snapshot

log = logging.getLogger("polar_monitor")

STOPPING = (AlertKind.COLLAPSE, AlertKind.NON_FINITE)
FAILURES = 5
"""Failures in a row before the monitor switches itself off."""
SILENCE = 50
"""Steps without any row after which the first silence is told."""


class PolarMonitor:
    """Watches one latent of one model; made by `polar_monitor.attach`, which documents the arguments."""

    def __init__(
        self,
        *,
        settings: Settings,
        sinks: tuple[Sink, ...],
        every: int,
        max_overhead: float,
        modes: tuple[str, ...],
        name: str,
        log_dir: Path | None,
        on_alert: Callable[[Alert], None] | None,
        strict: bool,
    ) -> None:
        self.name = name
        self.log_dir = log_dir
        """Where the default sinks write; None without them."""
        self._settings = settings
        self._sinks = SinkGroup(sinks)
        self._sinks.strict = strict
        self._governor = Governor(every, max_overhead)
        self._modes = modes
        self._on_alert = on_alert
        self._strict = strict
        self._lanes: dict[str, Lane] = {}
        self._taps: list[tuple[weakref.ref[nn.Module], Tap]] = []
        self._handles: list[RemovableHandle] = []
        self._clock: Clock | None = None
        self._latent: Latent | None = None
        self._where = ""
        self._why = ""
        self._alerts: list[Alert] = []
        self._steps = 0
        self._next = every
        self._open_at = math.inf
        self._asked: int | None = None
        self._evaluations = 0
        self._evaluated = -1
        """Step of the last evaluation."""
        self._errors = 0
        self._last_error = ""
        self._told: set[str] = set()
        self._failures = 0
        self._pid = os.getpid()
        self._stepped_by_hand = False
        self._finalizer = weakref.finalize(self, _close, self._sinks, self._pid)

    # -- wiring -----------------------------------------------------------------------------------------------------

    def connect(self, model: nn.Module, latent: Latent) -> None:
        """Hook the modules of `latent` and start the clock; called by `attach`."""
        self._why, self._where = latent.why, ", ".join(part.name or "the model" for part in latent.parts)
        self._make_lanes(latent.kind, latent.dimensions)
        rings = {mode == "train": lane.ring for mode, lane in self._lanes.items()}
        for part in latent.parts:
            tap = Tap(rings, part.reader, part.side, latent.channels_first)
            tap.strict = self._strict
            self._taps.append((weakref.ref(part.module), tap))
        if latent.dimensions is not None:
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            for lane in self._lanes.values():
                lane.ring.mean.prepare_traced(latent.dimensions, device)
                if lane.ring.spread is not None:
                    lane.ring.spread.prepare_traced(latent.dimensions, device)
        self._hook()
        self._clock = Clock(model, self._tick)

    def _make_lanes(self, kind: str | None, dimensions: int | None) -> None:
        self._lanes = {mode: Lane(mode, kind, self._settings, dimensions) for mode in self._modes}

    def _hook(self) -> None:
        for module, tap in self._taps:
            alive = module()
            if alive is not None:
                self._handles.append(alive.register_forward_hook(tap))

    def _unhook(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    @contextmanager
    def detached(self) -> Iterator[None]:
        """A context without hooks, for `torch.jit.script` and other tools that cannot take them."""
        self._unhook()
        try:
            yield
        finally:
            self._hook()

    def detach(self) -> None:
        """Take all hooks off and close the sinks; what was measured stays readable. More than once does nothing."""
        self._unhook()
        if self._clock is not None:
            self._clock.stop()
        self._sinks.close()

    close = detach

    def __enter__(self) -> PolarMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    # -- time -------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Count one step by hand; from the first call on, optimisers are no longer listened to."""
        if not self._stepped_by_hand:
            self._stepped_by_hand = True
            if self._clock is not None:
                self._clock.stop()
        self._tick()

    def _tick(self) -> None:
        if os.getpid() != self._pid:
            return
        begin = perf_counter()
        try:
            self._steps += 1
            if self._steps == 1:
                self._governor.started(0)
            for lane in self._lanes.values():
                lane.ring.commit()
            if self._steps >= self._open_at:
                self._open()
            if self._steps >= self._next and self._asked is None:
                self._ask()
            elif self._steps == SILENCE and not any(lane.ring.calls for lane in self._lanes.values()):
                self._warn_of_silence()
            if self._asked is not None and all(lane.ready() for lane in self._lanes.values()):
                self._conclude()
        except Exception as failure:
            self._swallow(failure)
        self._governor.own += perf_counter() - begin

    def _ask(self) -> None:
        for lane in self._lanes.values():
            lane.drains += lane.ring.requests()
        self._asked = self._steps

    def _conclude(self) -> tuple[Evaluation, ...]:
        begin = perf_counter()
        step, self._asked = self._asked if self._asked is not None else self._steps, None
        done = []
        try:
            for lane in self._lanes.values():
                lane.ingest()
                if lane.observed or (lane.mode == self._modes[0] and step > self._evaluated):
                    done.append(self._evaluate(lane, step))
            self._evaluated = step
            self._failures = 0
        finally:
            self._governor.own += sum(tap.nanoseconds for _, tap in self._taps) * 1e-9
            for _, tap in self._taps:
                tap.nanoseconds = 0
            self._governor.evaluated(perf_counter() - begin, self._steps)
            self._next = self._steps + self._governor.every
            self._plan()
        return tuple(done)

    def _evaluate(self, lane: Lane, step: int) -> Evaluation:
        observed, alerts = lane.evaluate(step)
        if observed == 0:
            self._warn_of_silence()
        self._evaluations += 1
        evaluation = Evaluation(
            step, time.time(), self.name, lane.mode, observed, lane.snapshot, lane.regime, alerts, self.health()
        )
        self._alerts += alerts
        self._sinks.write(evaluation)
        if alerts:
            self._sinks.flush()
        for alert in alerts:
            log.warning("step %d: %s", alert.step, alert.message)
            if self._on_alert is not None:
                self._on_alert(alert)
        return evaluation

    def _plan(self) -> None:
        """Close the rings for steps whose rows would be overwritten before the next evaluation anyway."""
        ring = self._lanes[self._modes[0]].ring
        calls = max(self._steps, 1)
        rows = (self._lanes[self._modes[0]].seen + ring.skipped + self._lanes[self._modes[0]].dropped) / calls
        fill = math.ceil(4 * self._settings.window / rows) + 1 if rows > 0 else math.inf
        self._open_at = self._next - fill
        if self._open_at > self._steps:
            for lane in self._lanes.values():
                lane.ring.open = False
        else:
            self._open()

    def _open(self) -> None:
        self._open_at = math.inf
        for lane in self._lanes.values():
            lane.ring.open = True

    def evaluate(self) -> tuple[Evaluation, ...]:
        """Evaluate now, outside the schedule; returns the new records (one a mode). Waits for a CUDA copy."""
        if os.getpid() != self._pid or not self._lanes:
            return ()
        if self._asked is None:
            self._ask()
        for lane in self._lanes.values():
            lane.wait()
        return self._conclude()

    def _swallow(self, failure: Exception) -> None:
        if self._strict:
            raise failure
        self._errors += 1
        self._failures += 1
        if self._failures == FAILURES:
            self._unhook()
            if self._clock is not None:
                self._clock.stop()
            log.error("polar_monitor switches itself off: it failed %d times in a row", FAILURES)
        self._last_error = f"{type(failure).__name__}: {failure}"
        if self._last_error not in self._told and len(self._told) < 100:
            self._told.add(self._last_error)
            log.error("polar_monitor failed and goes on (%s); training is not affected", self._last_error)

    def _warn_of_silence(self) -> None:
        if "silent" not in self._told:
            self._told.add("silent")
            said = f"no latent seen from {self._where or 'observe()'} in {self._steps} steps; {describe.SILENT}"
            with warnings.catch_warnings():  # a user's "error" filter must not turn this into an exception in training
                warnings.simplefilter("default", PolarMonitorWarning)
                warnings.warn(f"polar_monitor: {said}", PolarMonitorWarning, stacklevel=2)

    # -- the explicit way in ----------------------------------------------------------------------------------------

    def observe(self, mean: Any, *, logvar: Any = None, var: Any = None, std: Any = None, mode: str = "train") -> None:
        """Record latents by hand: (n, D) or spatial tensors or arrays, with at most one spread of the same shape.

        Raises PolarMonitorError for bad arguments. Rows count towards the evaluation at the next step.

        Example:
            >>> import torch, polar_monitor
            >>> monitor = polar_monitor.PolarMonitor.unattached(sinks=())
            >>> monitor.observe(torch.randn(8, 2), logvar=torch.zeros(8, 2))
        """
        given = {kind: v for kind, v in (("logvar", logvar), ("var", var), ("std", std)) if v is not None}
        if len(given) > 1:
            raise PolarMonitorError(f"expected at most one of logvar, var, std; got {' and '.join(given)}")
        kind, spread = next(iter(given.items()), (None, None))
        mean, spread = _tensor(mean), None if spread is None else _tensor(spread)
        if spread is not None and spread.shape != mean.shape:
            raise PolarMonitorError(f"{kind}: expected shape {tuple(mean.shape)}, got {tuple(spread.shape)}")
        if not is_plain(mean) or mean.dim() < 1:
            raise PolarMonitorError(f"mean: expected a tensor (n, D) with values, got shape {tuple(mean.shape)}")
        if mode not in self._modes:
            raise PolarMonitorError(f"mode: expected one of {self._modes}, got {mode!r}")
        if not self._lanes:
            self._make_lanes(kind, None)
            self._why = f"latents given to observe(), {kind or 'no variance'}"
        lane = self._lanes[mode]
        if lane.kind != kind:
            raise PolarMonitorError(f"expected {lane.kind or 'no variance'} as before, got {kind or 'no variance'}")
        self._record(lane, mean, spread)

    def _record(self, lane: Lane, mean: Tensor, spread: Tensor | None) -> None:
        tap = Tap({True: lane.ring}, lambda pair: pair, "both", None)
        tap.strict = True
        tap._record(lane.ring, (mean, spread))

    # -- what is known ----------------------------------------------------------------------------------------------

    def snapshot(self, mode: str | None = None) -> Snapshot | None:
        """The statistics of the last evaluation, or None before the first."""
        lane = self._lanes.get(mode or self._modes[0])
        return None if lane is None else lane.snapshot

    def regime(self, mode: str | None = None) -> Regime | None:
        """The labels and the verdict of the last evaluation, or None before the first."""
        lane = self._lanes.get(mode or self._modes[0])
        return None if lane is None else lane.regime

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts so far."""
        return tuple(self._alerts)

    @property
    def should_stop(self) -> bool:
        """Whether a COLLAPSE or NON_FINITE has been raised."""
        return any(alert.kind in STOPPING for alert in self._alerts)

    def raise_on_collapse(self) -> None:
        """Raise CollapseError if the model has collapsed; for loops that want to end then."""
        for alert in self._alerts:
            if alert.kind is AlertKind.COLLAPSE:
                raise CollapseError(f"step {alert.step}: {alert.message}")

    def health(self) -> Health:
        """How the monitor itself is doing."""
        lanes = self._lanes.values()
        taps = [tap for _, tap in self._taps]
        failure = next((tap.failure for tap in taps if tap.failure is not None), None)
        said = self._last_error or ("" if failure is None else f"{type(failure).__name__}: {failure}")
        return Health(
            steps=self._steps,
            calls=sum(lane.ring.calls for lane in lanes),
            rows_seen=sum(lane.seen for lane in lanes),
            rows_dropped=sum(lane.dropped + lane.ring.skipped + lane.ring.misaligned for lane in lanes),
            rows_empty=sum(lane.ring.empty for lane in lanes),
            errors=self._errors + sum(tap.errors for tap in taps),
            last_error=said,
            overhead=self._governor.overhead,
            every=self._governor.every,
            evaluations=self._evaluations,
            sink_drops=self._sinks.drops,
        )

    def explain(self, dimension: int | None = None) -> str:
        """What is watched and why; with a dimension, why it has its label."""
        regime = self.regime()
        if dimension is not None:
            return "nothing has been evaluated yet" if regime is None else regime.explain(dimension)
        return describe.explain(self._why, self._modes, self._governor, self.log_dir)

    def summary(self) -> str:
        """A table of all dimensions, the verdict and the alerts, as plain text."""
        return describe.summary(self.snapshot(), self.regime(), self.alerts, self.health())

    # -- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs to say what the uninterrupted one would; arrays and plain numbers only.

        Save it beside the model's. Rows that wait for the next evaluation are taken in first.
        """
        for lane in self._lanes.values():
            lane.drains += lane.ring.requests()
            lane.ingest()
        return {
            "version": 1,
            "steps": self._steps,
            "next": self._next,
            "every": self._governor.every,
            "evaluations": self._evaluations,
            "alerts": [alert.to_dict() for alert in self._alerts],
            "lanes": {mode: lane.state_dict() for mode, lane in self._lanes.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`. Raises PolarMonitorError, and changes nothing, if it does not fit."""
        if not isinstance(state, Mapping) or state.get("version") != 1:
            raise PolarMonitorError("state: expected a dict of version 1, from PolarMonitor.state_dict()")
        lanes = state["lanes"]
        if not self._lanes:
            kinds = {lane["kind"] for lane in lanes.values()}
            self._make_lanes(next(iter(kinds), None), None)
        fresh = {}
        for mode, lane in self._lanes.items():
            if mode not in lanes or lanes[mode]["kind"] != lane.kind:
                got = lanes.get(mode, {}).get("kind", "no such mode")
                raise PolarMonitorError(f"state: mode {mode!r} expects {lane.kind or 'no variance'}, got {got!r}")
            trial = Lane(mode, lane.kind, self._settings, None)
            trial.load_state_dict(lanes[mode])
            expected = None if lane.stream is None else lane.stream.dimensions
            if trial.stream is not None and expected is not None and trial.stream.dimensions != expected:
                raise PolarMonitorError(f"state: expected {expected} dimensions, got {trial.stream.dimensions}")
            fresh[mode] = lanes[mode]
        alerts = [Alert.from_dict(alert) for alert in state["alerts"]]
        for mode, saved in fresh.items():
            self._lanes[mode].load_state_dict(saved)
        self._alerts = alerts
        self._steps, self._next = int(state["steps"]), int(state["next"])
        self._governor.every = int(state["every"])
        self._governor.started(self._steps)
        self._evaluations = int(state["evaluations"])
        self._sinks.resume(self._steps)

    @classmethod
    def unattached(cls, **arguments: Any) -> PolarMonitor:
        """A monitor with no model, fed by `observe` and stepped by `step`; takes the arguments of `attach`."""
        from .attach import build

        return build(**arguments)


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.from_numpy(np.array(value))


def _close(sinks: SinkGroup, pid: int) -> None:
    if os.getpid() == pid:
        sinks.close()
