"""Logs of plausible runs, written to a folder without any training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from records import ACTIVE, PASSIVE, UNDECIDED, make_alert, make_evaluation

from polar_monitor.alerts.alert import Alert, AlertKind, Forecast
from polar_monitor.evaluation import Evaluation
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.distributions import distributions
from polar_monitor.sinks.jsonl_record import to_line

FALL = (2.0, 2.0, 2.0, 1.6, 1.2, 0.8, 0.5)


def write_log(folder: Path, run: Sequence[Evaluation], tail: bytes = b"") -> Path:
    """Write `polar.jsonl` in a folder, every third line with histograms; `tail` follows the last line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "polar.jsonl"
    lines = (drawn_line(one) if i % 3 == 0 and one.snapshot else to_line(one) for i, one in enumerate(run))
    path.write_bytes(b"".join(lines) + tail)
    return path


def drawn_line(one: Evaluation) -> bytes:
    """Return the line of an evaluation with its histograms."""
    assert one.snapshot is not None
    return to_line(one, histograms=distributions(one.snapshot))


def fading_alert(step: int, dimensions: Sequence[int], low: int = 80, high: int | None = 400) -> Alert:
    """Return a FADING of some dimensions, each with its forecast in the evidence if there are several."""
    evidence: dict[str, float] = {}
    for j in dimensions:
        evidence |= {f"forecast_{j}": step + 200.0 + j, f"forecast_low_{j}": step + float(low)}
        evidence[f"forecast_high_{j}"] = math.nan if high is None else step + float(high)
    alert = make_alert(step, dimensions[0])
    forecast = Forecast(step + 200, step + low, None if high is None else step + high)
    evidence = evidence if len(dimensions) > 1 else {}
    return replace(alert, dimensions=tuple(dimensions), forecast=forecast, evidence=evidence, last_healthy_step=300)


def falling_run(alerts: dict[int, tuple[Alert, ...]] | None = None, fall: Sequence[float] = FALL) -> list[Evaluation]:
    """Return a run of five dimensions: 0 falls as given, 1 stays, 2 and 3 were never in use, 4 is between the cuts."""
    run = []
    for i, nats in enumerate(fall):
        step = 100 * (i + 1)
        label = ACTIVE if nats > 0.15 else UNDECIDED if nats > 0.05 else PASSIVE
        labels: tuple[Label, ...] = (label, ACTIVE, PASSIVE, PASSIVE, UNDECIDED)
        information = (nats, 2.4, 0.002, 0.001, 0.1)
        of_step = (alerts or {}).get(step, ())
        run.append(make_evaluation(step, labels, alerts=of_step, information=information, bins=8))
    return run


def never_finite(evaluations: int = 3, dimensions: int = 4) -> list[Evaluation]:
    """Return a run whose numbers are all NaN."""
    labels, nan = (UNDECIDED,) * dimensions, (math.nan,) * dimensions
    alert = make_alert(100, None, AlertKind.NON_FINITE)
    return [
        make_evaluation(
            100 * (i + 1), labels, information=nan, bins=8, verdict=Verdict.NOT_ESTIMABLE, alerts=(alert,) * (i == 0)
        )
        for i in range(evaluations)
    ]
