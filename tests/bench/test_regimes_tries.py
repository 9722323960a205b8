"""The rules that were tried beside ours, and the live monitor of iVAEs that knows their prior."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bench.regimes import conditional, tries
from bench.regimes.scoring import laws, power
from bench.regimes.scoring.tables import cell
from bench.regimes.training import grid, truth


def test_predicted_rises_are_those_of_a_quadratic_decoder() -> None:
    """The slow twin replaces one number many times in ½ h (z − z*)², of which the posterior is the optimum."""
    rng = np.random.default_rng(0)
    h, target = np.array([0.1, 1.0, 20.0]), np.array([0.5, -1.0, 2.0])
    variance, mean = 1 / (1 + h), h * target / (1 + h)
    found = tries.predicted_rises(mean[None], variance[None])[0]
    for j in range(3):
        z, other = mean[j] + np.sqrt(variance[j]) * rng.normal(size=400_000), rng.normal(size=400_000)
        rises = 0.5 * h[j] * ((other - target[j]) ** 2 - (z - target[j]) ** 2)
        assert found[j] == pytest.approx(rises.mean(), abs=4 * rises.std() / 632)


def test_a_posterior_at_its_prior_is_predicted_to_be_worth_nothing() -> None:
    found = tries.predicted_rises(np.zeros((4, 2)), np.ones((4, 2)))
    assert np.abs(found).max() < 1e-3


@pytest.mark.parametrize("law", power.HOMOGENEOUS)
def test_one_broad_kind_is_not_predicted_to_be_mixed(law: str) -> None:
    mean, variance = power.HOMOGENEOUS[law](np.random.default_rng(1), 2048, 20)
    assert "mixed" not in truth.labels(tries.predicted_rises(mean, variance), 1.0)


def test_two_kinds_are_predicted_to_be_mixed() -> None:
    mean, variance = laws.mixed(0.3)(np.random.default_rng(1), 2048, 20)
    assert set(truth.labels(tries.predicted_rises(mean, variance), 1.0)) == {"mixed"}


def test_further_models_are_no_models_of_the_study() -> None:
    seeds = {spec.seed for spec in tries.specs()}
    assert seeds == {*tries.CHOSEN_ON, *tries.FRESH}
    assert not seeds & {*grid.REPORTED, *conditional.SEEDS}
    assert not {*tries.CHOSEN_ON} & {*tries.FRESH}


def test_shares_leave_out_what_is_unclear() -> None:
    words = {"ours": np.array(["active", "active", "active", "passive"])}
    one = tries.Judged(
        SimpleNamespace(seed=21),
        np.array(["active", "mixed", "unclear", "active"]),
        words,
        np.zeros(0),  # type: ignore[arg-type]
    )
    text = tries.table([one], {"all": lambda model: model.seed == 21})
    assert cell(text, "ours", "all: 1 models, 3 dimensions") == "33.3, 66.7"


def test_the_monitor_with_the_prior_labels_as_classify_does_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "INTERVENED", 128)
    monkeypatch.setattr(conditional, "EVALUATIONS", 3)
    found = conditional.watched(grid.Spec("ivae", "auxiliary", 30.0, 40, steps=192))
    assert found.newest == found.same_rows
    assert found.live.count("undecided") < len(found.live)
    line = [row for row in conditional.table([found]).splitlines() if "last window alone" in row]
    assert "| 6 of 6 |" in line[0]
    assert found.without != found.newest
