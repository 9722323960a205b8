"""The study of the first minute: what counts as right, what as near a cut, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.first_minute import report, run
from polar_monitor import classify
from polar_monitor.regime.regime import Regime

SMALL = run.Setup("digits", "mlp", 1.0, 4, 60, 1)


def regime(*nats: float) -> Regime:
    """Gaussian codes with so many nats in each dimension."""
    signal = np.sqrt(1 - np.exp(-2 * np.array(nats)))
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(4096, len(signal))) * signal
    return classify(mean, var=np.broadcast_to(1 - signal**2, mean.shape))


def test_a_wrong_label_counts_unless_its_band_touches_a_cut() -> None:
    true = regime(1.0, 0.001, 0.15)
    assert [str(label) for label in true.labels] == ["active", "passive", "undecided"]
    same = run.compared(true, true)
    assert (same["right"], same["in_band"], same["dimensions"]) == (3, 0, 3)
    near = run.compared(regime(1.0, 0.001, 0.3), true)
    assert (near["right"], near["in_band"]) == (2, 1)
    wrong = run.compared(regime(0.001, 1.0, 0.15), true)
    assert (wrong["right"], wrong["in_band"]) == (1, 0)
    nothing = run.compared(None, true)
    assert (nothing["right"], nothing["in_band"], nothing["verdict"]) == (0, 0, None)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("/")
        patch.setattr(run, "GRID", (20, 60))
        result: dict[str, Any] = json.loads(json.dumps(run.run(SMALL)))
    return result


def test_a_run_is_recorded(record: dict[str, Any]) -> None:
    assert [row["step"] for row in record["grid"]] == [20, 60]
    assert all(row["dimensions"] == 4 and row["right"] + row["in_band"] <= 4 for row in record["grid"])


def grid(*rows: tuple[int, int, int]) -> list[dict[str, int]]:
    return [{"step": step, "right": right, "in_band": band, "dimensions": 4} for step, right, band in rows]


def test_equal_means_at_every_step_from_the_first_that_counts(record: dict[str, Any]) -> None:
    early = record | {"grid": grid((25, 0, 0), (500, 3, 1), (1000, 4, 0))}
    late = record | {"grid": grid((25, 4, 0), (500, 4, 0), (1000, 3, 0))}
    assert report.equal(early)
    assert not report.equal(late)
    text = report.table({"early": early, "late": late})
    assert "equal from step 500 on: 1 of 2 runs" in text
    assert "| early | 0% | 100%* | 100% |" in text


def test_wrong_labels_are_listed_with_what_both_sides_saw() -> None:
    row = run.compared(regime(0.001, 1.0, 0.15), regime(1.0, 0.001, 0.15)) | {"step": 500, "evaluated": 480}
    text = report.wrong_labels({"one": {"grid": [row | {"step": 300}, row]}})
    lines = text.splitlines()[2:]
    assert [line.split(" | ")[:5] for line in lines] == [
        ["| one", "500", "480", "0", "passive"],
        ["| one", "500", "480", "1", "active"],
    ]
    assert lines[0].split(" | ")[6] == "active"
    assert report.wrong_labels({"one": {"grid": []}}) == ""


def test_the_first_verdict_is_one_that_says_something(record: dict[str, Any]) -> None:
    verdicts = [[10, "not_estimable"], [30, "collapsed"], [40, "polarised"]]
    assert report.first_verdict(record | {"verdicts": verdicts}) == 30
    assert report.first_verdict(record | {"verdicts": verdicts[:1]}) is None


def test_the_picture_is_drawn(record: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report.plot({"one": record}, {"one": record}, tmp_path / "first.svg")
    assert (tmp_path / "first.svg").read_text().startswith("<?xml")
