"""A run, stored: what the monitor saw and said, what the host knows, and what is true. One .npz without pickles.

All numbers are float64: replayed from them, labels and alerts are those of the live monitor to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polar_monitor.alerts.alert import Alert
from polar_monitor.regime.label import Label
from polar_monitor.statistics.snapshot import DRAWN, Array, Snapshot

VERSION = 2
LABELS = tuple(Label)
FIELDS = tuple(f for f in fields(Snapshot) if f.name not in DRAWN)


class Series(NamedTuple):
    """What a monitor saw: T evaluations."""

    steps: NDArray[np.int64]
    """(T,)."""
    observed: NDArray[np.int64]
    """(T,): rows since the evaluation before."""
    snapshots: Mapping[str, NDArray[Any]]
    """Every field of `Snapshot`: (T, D), or (T,) for single numbers."""


@dataclass(frozen=True, eq=False)
class Run:
    """T evaluations of D dimensions, and the truth at S steps."""

    name: str
    kind: str
    """The cause of its collapse, or what makes a healthy run look alarming."""
    seed: int
    healthy: bool
    every: int
    """Steps between evaluations."""
    warmup: int
    nominal: float
    """The weight of the KL term that was meant: the price of a nat of information, in nats of reconstruction."""
    said: str
    """Architecture and sizes."""
    seconds: float
    recipe: str
    """Digest of the code that made it."""
    known: tuple[int, ...]
    """Steps at which a closed form says that a dimension is lost."""
    alerts: tuple[Alert, ...]
    """What the live monitor raised."""
    labels: NDArray[np.int8]
    """(T, D): the live settled labels, as places in `LABELS`."""
    steps: NDArray[np.int64]
    """(T,)."""
    observed: NDArray[np.int64]
    """(T,): rows since the evaluation before."""
    snapshots: Mapping[str, NDArray[Any]]
    """Every field of `Snapshot`: (T, D), or (T,) for single numbers."""
    seldom: Mapping[int, Series]
    """What further monitors saw, by the steps between their evaluations."""
    host: Mapping[str, Array]
    """(T,): loss, reconstruction and kl (means since the evaluation before), beta and rate. beta is that of a
    reconstruction summed over pixels."""
    truth_steps: NDArray[np.int64]
    """(S,)."""
    truth: Mapping[str, Array]
    """rise and rise_se (S, D); total, total_se, noise, reconstruction, kl, mi and validation (S,), on held-out images;
    beta (S,) as in `host`."""

    def evaluations(self) -> Iterator[tuple[int, int, Snapshot]]:
        """(step, observed, snapshot) as the monitor's lane had them; arrays that an older one lacks are NaN."""
        unknown = np.full(self.labels.shape, np.nan)
        for t, (step, observed) in enumerate(zip(self.steps.tolist(), self.observed.tolist(), strict=True)):
            data = {
                f.name: _value(f.type, self.snapshots.get(f.name, unknown)[t])
                for f in FIELDS
                if f.name in self.snapshots or f.type == "Array"
            }
            yield step, observed, Snapshot(**data)

    def truth_so_far(self, name: str) -> Array:
        """The last measurement of the truth at each evaluation (T,); the first one before there is any."""
        places = np.searchsorted(self.truth_steps, self.steps, side="right") - 1
        return self.truth[name][np.maximum(places, 0)]

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        meta = {
            name: getattr(self, name)
            for name in ("name", "kind", "seed", "healthy", "every", "warmup", "nominal", "said", "seconds", "recipe")
        }
        meta |= {"known": self.known, "alerts": [alert.to_dict() for alert in self.alerts], "version": VERSION}
        arrays: dict[str, Any] = {"labels": self.labels, "steps": self.steps, "observed": self.observed}
        arrays["truth_steps"] = self.truth_steps
        for every, series in self.seldom.items():
            arrays |= {f"seldom.{every}.steps": series.steps, f"seldom.{every}.observed": series.observed}
            arrays |= {f"seldom.{every}.snapshots.{name}": values for name, values in series.snapshots.items()}
        for group in ("snapshots", "host", "truth"):
            arrays |= {f"{group}.{name}": values for name, values in getattr(self, group).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays)
        part.replace(path)


def load(path: Path) -> Run:
    """Read a run. Raises ValueError for one of another version."""
    with np.load(path, allow_pickle=False) as file:
        meta = json.loads(str(file["meta"]))
        if meta.pop("version") != VERSION:
            raise ValueError(f"{path}: expected a run of version {VERSION}: delete it and run the suite again")
        groups: dict[str, Any] = {"snapshots": {}, "host": {}, "truth": {}, "seldom": {}}
        for key in file.files:
            group, _, name = key.partition(".")
            if name:
                groups[group][name] = file[key]
        groups["seldom"] = _seldom(groups["seldom"])
        alerts = tuple(Alert.from_dict(alert) for alert in meta.pop("alerts"))
        known = tuple(meta.pop("known"))
        plain: dict[str, Any] = {name: file[name] for name in ("labels", "steps", "observed", "truth_steps")}
        return Run(**meta, known=known, alerts=alerts, **plain, **groups)


def _seldom(arrays: Mapping[str, Any]) -> dict[int, Series]:
    """Series from names such as "50.steps" and "50.snapshots.mean"."""
    found = {}
    for every in dict.fromkeys(name.partition(".")[0] for name in arrays):
        start = f"{every}.snapshots."
        snapshots = {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}
        found[int(every)] = Series(arrays[f"{every}.steps"], arrays[f"{every}.observed"], snapshots)
    return found


def stacked(snapshots: list[Snapshot]) -> dict[str, NDArray[Any]]:
    """Snapshots as one array a field."""
    return {f.name: np.array([getattr(s, f.name) for s in snapshots]) for f in FIELDS}


def _value(kind: Any, value: Any) -> Any:
    return value if kind == "Array" else value.item()
