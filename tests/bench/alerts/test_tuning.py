"""The search for thresholds: on the tuning half alone, and better than what it began with."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from alert_runs import STEADY, at, made

from bench.alerts.report import densities
from bench.alerts.scoring.agreement import Agreement
from bench.alerts.scoring.goals import COLLAPSE, FALSE, GOALS, HOLDS, KINDS, NEVER, WARNED, by_kind, figures
from bench.alerts.scoring.outcomes import outcome, prepared
from bench.alerts.scoring.tally import Tally, Warned, tally
from bench.alerts.training.record import Run
from bench.alerts.tuning.objective import objective
from bench.alerts.tuning.ranges import RANGES, moves, searched, unsearched
from bench.alerts.tuning.search import Search, tune
from polar_monitor.alerts.alert_rules import AlertRules


def test_the_held_out_half_is_refused(tiny: Run) -> None:
    with pytest.raises(ValueError, match="expected runs of the tuning half"):
        Search([tiny])


def test_every_threshold_has_a_range_that_holds_its_default() -> None:
    assert unsearched() == []
    for name, values in searched().items():
        assert values == tuple(sorted(values))
        assert values[0] <= getattr(AlertRules(), name) <= values[-1]
    assert set(searched()) == {f.name for f in fields(AlertRules)} - {"kinds"}


def test_a_move_is_to_the_next_value_of_the_same_type() -> None:
    assert set(moves(replace(AlertRules(), fall=0.35), "fall")) == {0.3, 0.4}
    assert moves(replace(AlertRules(), fall=RANGES["fall"][0]), "fall") == [RANGES["fall"][1]]
    for name in searched():
        assert all(type(value) is type(getattr(AlertRules(), name)) for value in moves(AlertRules(), name))


def test_the_search_leaves_thresholds_that_never_warn(tiny: Run) -> None:
    said: list[str] = []
    blind = replace(AlertRules(), fall=0.5, significance=6.0)
    even = replace(tiny, seed=2)
    chosen = tune([even], settings=6, rules=blind, say=said.append)
    before, after = (objective([outcome(prepared(even), rules)]).value for rules in (blind, chosen))
    assert after <= before
    text = "\n".join(said)
    assert f"chosen: {'the thresholds as they are' if chosen == blind else ''}" in text
    assert text.count("   missed: ") == 6
    assert "quantiles of true over forecast time" in text


def test_what_is_clearly_worse_on_a_third_of_the_runs_is_given_up(tiny: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search([replace(tiny, seed=seed) for seed in (0, 2, 4)], say=lambda _: None)
    usual, blind = AlertRules(), replace(AlertRules(), kinds=frozenset({"lost"}))
    replayed: list[AlertRules] = []
    monkeypatch.setattr(
        "bench.alerts.tuning.search.outcome", lambda of, rules: (replayed.append(rules), outcome(of, rules))[1]
    )
    assert search.value(usual, "usual") < search.value(blind, "blind") == float("inf")
    assert (replayed.count(usual), replayed.count(blind)) == (3, 1)


def test_goals_are_missed_by_what_lies_outside() -> None:
    assert WARNED.missed(0.95) == WARNED.missed(float("nan")) == 0
    assert WARNED.missed(0.90) == pytest.approx(1.0)
    assert FALSE.missed(3.0) == pytest.approx(2.0)
    assert HOLDS.missed(0.95) == pytest.approx(2.0)
    assert COLLAPSE.missed(0.2) == pytest.approx(1.0)


def test_figures_of_all_goals_by_hand() -> None:
    good = Tally(healthy=False, kind="a", leads=[0.5, float("nan")], held=[True] * 15 + [False] * 5, never=[True])
    found = figures([good, Tally(healthy=True, kind="b", false=1, held=[True])], Agreement(3, 4))
    assert [found[goal].value for goal in GOALS[:2]] == [0.5, 0.25]
    assert found[FALSE].value == 10.0
    assert found[NEVER] == (1.0, 1)
    assert list(by_kind([good])) == ["a"]
    assert found[GOALS[-1]] == (0.75, 4)
    assert found[HOLDS].value == pytest.approx(16 / 21)
    assert KINDS.missed(by_kind([good])["a"].value) == 0


def test_a_model_of_which_nothing_comes_into_use_must_be_told_so() -> None:
    nothing = made(np.zeros((60, 2)))
    assert tally(nothing, []).never == [False]
    assert tally(nothing, [Warned("collapse", at(39))]).never == [True]
    assert tally(nothing, [Warned("collapse", at(41))]).never == [False]
    assert tally(replace(nothing, healthy=True), []).never == []
    assert tally(made(STEADY[:, None]), []).never == []
    rose = np.where(np.arange(60) < 10, 1.0, 200.0)
    averaged_later = made(np.zeros((60, 2)), beta=rose)
    assert tally(averaged_later, [Warned("collapse", at(50))]).never == [True]
    assert tally(averaged_later, [Warned("collapse", at(51))]).never == [False]
    assert tally(made(np.zeros((60, 2)), beta=np.full(60, 200.0)), [Warned("collapse", at(41))]).never == [False]


def test_the_tables_have_every_density(tiny: Run, tmp_path: Path) -> None:
    calm = replace(tiny, kind="calm", healthy=True, seed=2)
    outcomes = [outcome(prepared(run), AlertRules()) for run in (tiny, calm)]
    table = densities.densities(outcomes)
    assert table.count("\n| every=") == 2 * 4
    assert table.count("\n| default") == 2
    assert densities.settling(outcomes).count("\n| ") == 1 + 2 * 5
    assert "| fading |" in densities.tolerances(outcomes)
    assert densities.forecasts(outcomes).startswith("| kind of run |")
    assert "| calm | 1 |" in densities.first_use([calm, tiny])
