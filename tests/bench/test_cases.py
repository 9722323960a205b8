"""The page of instructive cases is what `bench/cases.py` makes, and its explanations say what the numbers say."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED

from polar_monitor.criteria import CRITERIA, labels_by
from polar_monitor.regime.disagreement import disagree
from polar_monitor.regime.judge import judge
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import LatentStream

ROOT = Path(__file__).resolve().parents[2]


def _bench() -> ModuleType:
    specification = importlib.util.spec_from_file_location("bench_cases", ROOT / "bench" / "cases.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["bench_cases"] = module
    specification.loader.exec_module(module)
    return module


CASES = _bench()
REGIMES: dict[str, Regime] = {case: CASES.regime(case) for case in CASES.CASES}


def _table(page: str) -> dict[str, list[str]]:
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in rows[2:]}


def test_the_page_has_the_verdicts_that_are_made_now() -> None:
    written = (ROOT / "docs" / "labels" / "cases.md").read_text(encoding="utf-8")
    made = CASES.page()
    assert _table(written) == _table(made)
    assert len(_table(written)) == len(CASES.CASES) >= 10
    words = lambda page: [re.sub(r"[\d.,e%−-]+", "#", line) for line in page.splitlines()]  # noqa: E731
    assert words(written) == words(made), "run python bench/cases.py"


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ("Three tight clusters", ACTIVE),
        ("Constant, narrow", PASSIVE),
        ("Constant at 2", PASSIVE),
        ("Homogeneous σ² = 0.3", ACTIVE),
        ("10 % mixed", MIXED),
        ("50 % mixed", MIXED),
        ("Passive, small scale", PASSIVE),
        ("Active × 0.001", ACTIVE),
        ("Noise as wide as the mean", ACTIVE),
        ("Active, uniform", ACTIVE),
        ("iVAE passive, standardised", PASSIVE),
    ],
)
def test_our_label_is_the_truth_by_construction(case: str, label: Label) -> None:
    assert REGIMES[case].labels == (label,)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("Homogeneous σ² = 0.3", "bonheme says mixed: mean σ² = 0.3 is above 0.1 and below 0.9, but Var μ = 0.69"),
        ("Homogeneous σ² = 0.3", "variance gap 0.00"),
        (
            "Constant at 2",
            "kl says active: KL = 2 nats is above 0.1 nats, but 2 nats are the aggregate posterior's distance",
        ),
        ("Constant at 2", "drvi says active: max |μ| = 2 is at least 0.5, but it leaves out the noise"),
        ("Constant, narrow", "mean σ² = 0.02 is at most 0.1, but Var μ = "),
        ("Constant, narrow", "0% of the inputs clearly use it, 100% clearly do not"),
        ("Noise as wide as the mean", "mean σ² = 1 is at least 0.9 and at most 1.1, but Var μ = 0.98"),
        ("10 % mixed", "mean σ² = 0.9 is at least 0.9 and at most 1.1, but Var μ = "),
        ("10 % mixed", "variance gap 0.14, 10% of the inputs clearly use it, 90% clearly do not"),
        ("Three tight clusters", "mean_entropy says passive"),
        ("Three tight clusters", "our estimate is 1.1 nats"),
        ("Active × 0.001", "active_units says passive"),
        ("Active × 0.001", "at a posterior variance of 2e−08, Var μ = 9.8e−07 corresponds to 2 nats; our estimate"),
        ("Passive, small scale", "minmax_entropy says active: entropy over 30 bins = 2.9 is above 1.7"),
        ("Passive, small scale", "Var μ = 0.00039 corresponds to 0.0002 nats; our estimate is 0.0002 nats"),
    ],
)
def test_explanations_name_the_numbers_that_mislead(case: str, said: str) -> None:
    assert said in REGIMES[case].explain(0)


@pytest.mark.parametrize("case", REGIMES)
def test_every_contradiction_has_its_line_and_nothing_else_has(case: str) -> None:
    regime = REGIMES[case]
    first, *lines = regime.explain(0).split("\n")
    assert first.startswith(f"dimension 0 is {regime.labels[0]}: ")
    assert regime.snapshot is not None
    said = {name: labels_by(name, regime.snapshot)[0] for name in CRITERIA}
    expected = [
        f"{name} says {label}"
        for name, label in said.items()
        if disagree(label, regime.labels[0], CRITERIA[name].knows_mixed)
    ]
    assert [line.strip().split(":")[0] for line in lines] == expected
    assert "nan" not in regime.explain(0)
    assert max(map(len, lines), default=0) < 210


@pytest.mark.parametrize("case", REGIMES)
@pytest.mark.parametrize("criterion", sorted(CRITERIA))
def test_a_regime_by_a_published_criterion_says_what_ours_says(case: str, criterion: str) -> None:
    ours = REGIMES[case]
    assert ours.snapshot is not None
    theirs = judge(ours.snapshot, None, criterion)
    first, second, *lines = theirs.explain(0).split("\n")
    assert first.startswith(f"dimension 0 is {theirs.labels[0]}: criterion {criterion}: ")
    assert str(CRITERIA[criterion]) in first
    assert CRITERIA[criterion].cut in first
    assert CRITERIA[criterion].source in first
    assert second.strip() == f"the numbers: {CRITERIA[criterion].explain(ours.snapshot, 0)}"
    contradicted = disagree(theirs.labels[0], ours.labels[0], CRITERIA[criterion].knows_mixed)
    contradicted |= theirs.labels[0] is UNDECIDED
    assert any(line.strip().startswith("information says ") for line in lines) == contradicted


def test_a_regime_that_is_read_back_explains_itself_alike() -> None:
    for regime in REGIMES.values():
        assert regime.snapshot is not None
        snapshot = Snapshot.from_dict(json.loads(json.dumps(regime.snapshot.to_dict())))
        back = Regime.from_dict(json.loads(json.dumps(regime.to_dict())), snapshot)
        assert back.explain(0) == regime.explain(0)
        assert back.explain() == regime.explain()
        assert Regime.from_dict(regime.to_dict()).explain(0) == f"dimension 0 is {regime.labels[0]}"


def code(mean: np.ndarray) -> Regime:
    stream = LatentStream(mean.shape[1], has_variance=False)
    stream.update(mean.astype(np.float32))
    return judge(stream.snapshot(step=0))


def test_without_a_variance_the_resolution_takes_the_place_of_the_noise() -> None:
    regime = code(np.random.default_rng(0).normal(size=(2000, 4)) * [0.01, 0.01, 0.01, 1e-5])
    assert regime.labels == (ACTIVE, ACTIVE, ACTIVE, PASSIVE)
    said = "active_units says passive: Var μ = 0.0001 is at most 0.01, but it leaves out the noise: at the resolution"
    assert f"{said} 0.001, Var μ = " in regime.explain(0)
    assert "minmax_entropy says active" in regime.explain(3)
    for j in range(4):
        assert "nan" not in regime.explain(j)
        assert not any(f"{name} says" in regime.explain(j) for name, c in CRITERIA.items() if c.needs_variance)


def test_where_ours_is_undecided_the_others_are_listed() -> None:
    rng = np.random.default_rng(1)
    stream = LatentStream(1)
    stream.update(0.47 * rng.normal(size=(2000, 1)).astype(np.float32), np.ones((2000, 1), np.float32))
    regime = judge(stream.snapshot(step=0))
    assert regime.labels == (UNDECIDED,)
    first, second = regime.explain(0).split("\n")
    assert "neither surely below 0.05 nor surely above 0.15" in first
    assert second.strip().startswith("the published criteria: active by active_units, ")
    assert "; passive by bonheme" in second


def test_without_statistics_there_is_no_disagreement() -> None:
    regime = code(np.full((600, 1), np.nan))
    assert regime.explain(0).count("\n") == 0
    theirs = judge(regime.snapshot, None, "bonheme")  # type: ignore[arg-type]
    assert "a statistic is not known" in theirs.explain(0)


def test_the_verdict_explains_itself() -> None:
    rng = np.random.default_rng(2)
    stream = LatentStream(2)
    stream.update(
        (rng.normal(size=(2000, 2)) * [1.0, 0.01]).astype(np.float32), np.full((2000, 2), [0.01, 1.0], np.float32)
    )
    said = judge(stream.snapshot(step=0)).explain().split("\n")
    assert said[0] == "the verdict is polarised"
    assert said[1].strip().startswith("1 informative and 1 passive dimensions")
    assert "Δ_KL of Rolinek et al. is 0." in said[2]
    assert said[3].strip().startswith("active by criterion: active_units 1, bonheme 1, clapham_code 1, ")
    assert len(said) == 4
