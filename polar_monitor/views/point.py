"""One line of a log as the few numbers that views draw, read without making a whole `Evaluation`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..alerts.alert import Alert
from ..arrays.short_floats import Array, read_array
from ..regime.regime import Verdict
from ..sinks.jsonl_record import MAX_DIMENSIONS, VERSION
from ..sinks.scalars import LETTERS
from ..statistics.rounding import SIZES
from ..statistics.snapshot import unknown
from .distribution import read_drawn

STATISTICS = ("information", "information_se", "variance", "posterior_variance", "drift", "drift_se")
"""Statistics of the dimensions that views draw; those of the drift are known in full evaluations alone."""
PROBED = ("worth", "worth_se")
"""Numbers of a probe that they draw: known in the first evaluation after it alone."""
ARRAYS = STATISTICS + PROBED
MAX_SENTENCES = 8
"""Sentences of a probe that a view shows."""


class Point(NamedTuple):
    """One evaluation of one latent in one mode."""

    step: int
    time: float
    name: str
    mode: str
    number: int
    """Running number of the evaluation; 0 if no monitor wrote it."""
    resumed: bool
    """True for the first evaluation after a `load_state_dict`."""
    alerts: tuple[Alert, ...]
    overhead: float | None
    errors: int
    context: Mapping[str, float]
    verdict: str
    reasons: tuple[str, ...]
    letters: str
    """First letter of the label of each dimension; '' before the first row."""
    has_variance: bool
    rows: int
    rows_to: int
    """Step of the newest row, -1 if it is not known."""
    arrays: Mapping[str, Array]
    """Each of `ARRAYS`, (D,); NaN where it is not known."""
    probe: Mapping[str, Any] | None = None
    """Step, unit, replacement (`how`) and `sentences` of the probe that the worths are of; None without one."""
    full: Mapping[str, Any] | None = None
    """Snapshot of the line as it stands there, if it has all statistics."""
    drawn: Mapping[int, Any] | None = None
    """Histograms of some dimensions, which few lines have."""
    allowance_used: float = 0.0
    """Seconds of the start allowance that are spent."""


def read_point(data: Any) -> Point:
    """Return the point of a line that was decoded from JSON. Raises ValueError, KeyError or TypeError for another."""
    if not isinstance(data, dict) or "version" not in data or "step" not in data:
        raise ValueError("no record of a monitor")
    version = data["version"]
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise ValueError(f"a record of version {str(version)[:20]}, and this package reads versions 1 to {VERSION}")
    health, regime, snapshot = data["health"], data.get("regime") or {}, data["snapshot"] or {}
    letters = _letters(regime.get("labels", ""))
    dimensions = _dimensions(snapshot, letters)
    arrays, probe = _arrays(snapshot, data.get("worth"), dimensions) if snapshot else ({}, None)
    return Point(
        step=int(data["step"]),
        time=float(data["time"]),
        name=str(data["name"]),
        mode=str(data["mode"]),
        number=int(health.get("evaluations", 0)),
        resumed=data.get("resumed") is not None,
        alerts=tuple(Alert.from_dict(alert) for alert in data["alerts"]),
        overhead=_number(health.get("overhead")),
        errors=int(health.get("errors", 0)) + int(health.get("sink_drops", 0)),
        context={str(k): float(v) for k, v in data.get("context", {}).items() if v is not None},
        verdict=str(Verdict(regime["verdict"])) if regime else "",
        reasons=tuple(map(str, regime.get("reasons", ()))),
        letters=letters if snapshot else "",
        has_variance=bool(snapshot.get("has_variance", True)),
        rows=int(snapshot.get("n", 0)),
        rows_to=int(snapshot.get("rows_to", -1)),
        arrays=arrays,
        probe=probe,
        full=snapshot if snapshot and snapshot.get("full", True) else None,
        drawn=read_drawn(data.get("distributions"), dimensions),
        allowance_used=_number(health.get("allowance_used")) or 0.0,
    )


def _arrays(
    snapshot: Mapping[str, Any], worth: Any, dimensions: int
) -> tuple[dict[str, Array], Mapping[str, Any] | None]:
    """Return each of `ARRAYS`, and what the worths are. A probe of other dimensions than those watched has none."""
    missing = unknown(dimensions)
    arrays = {
        key: read_array(snapshot[key], SIZES[key], dimensions) if snapshot.get(key) is not None else missing
        for key in STATISTICS
    }
    lists = {key: worth.get(key) for key in PROBED} if isinstance(worth, dict) else {}
    if not lists or any(not isinstance(one, list) or len(one) != dimensions for one in lists.values()):
        return arrays | dict.fromkeys(PROBED, missing), None
    probe = {key: worth.get(key) for key in ("step", "unit", "how")}
    noted = worth.get("sentences")
    probe["sentences"] = [str(one) for one in noted[:MAX_SENTENCES]] if isinstance(noted, list) else []
    return arrays | {key: read_array(one, 0, dimensions) for key, one in lists.items()}, probe


def _dimensions(snapshot: Mapping[str, Any], letters: str) -> int:
    if not snapshot:
        return 0
    count = snapshot.get("dimensions", len(letters))
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= MAX_DIMENSIONS:
        raise ValueError(f"expected dimensions from 1 to {MAX_DIMENSIONS}, got {str(count)[:20]}")
    if len(letters) != count:
        raise ValueError(f"expected labels of {count} dimensions, got {len(letters)}")
    return count


def _letters(labels: Any) -> str:
    """Return the labels as letters: version 1 of a line has them as words."""
    text = labels if isinstance(labels, str) else "".join(str(word)[:1] for word in labels)
    if not LETTERS.keys() >= set(text):
        raise ValueError(f"expected labels of the letters {', '.join(LETTERS)}, got {text[:40]!r}")
    return text


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)
