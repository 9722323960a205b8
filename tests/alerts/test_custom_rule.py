"""Rules of third parties: live, saved, replayed, and never in the way."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from custom_rules import Broken, Counting, Weak, custom, run

from polar_monitor import AlertRules, PolarMonitor, PolarMonitorError
from polar_monitor.alerts import custom_rule
from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.observation import Observation
from polar_monitor.cli import main
from polar_monitor.context import NOTHING, Context
from polar_monitor.replay import replay

# -- live and replayed ------------------------------------------------------------------------------------------------


def test_objects_are_live_and_replayed_where_they_are_given(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 4), extra_rules=[Weak(), Counting(2)])
    assert custom(monitor.alerts) == [(1, "Weak: less than a nat"), (2, "Counting: counted")]
    found = replay(log, extra_rules=[Weak, Counting(2)])
    assert (found.only_live, found.only_replayed, found.missing, found.left_out) == ((), (), {}, ())
    assert custom(found.replayed) == custom(monitor.alerts)
    assert custom(replay(log, extra_rules=[Weak(), Counting(3)]).only_replayed) == [(3, "Counting: counted")]


def test_what_a_missing_rule_said_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "run.jsonl"
    run(log, range(1, 4), extra_rules=[Weak(), Counting()])
    found = replay(log, extra_rules=[Weak()])
    assert list(found.missing) == ["Counting"]
    assert custom(found.left_out) == [(step, "Counting: counted") for step in (1, 2, 3)]
    assert (found.only_live, found.only_replayed) == ((), ())
    assert main(["replay", str(log)]) == 0
    out, err = capsys.readouterr()
    assert "? step 1 CUSTOM: Weak: less than a nat" in out
    assert err.splitlines() == [
        f"polar-monitor replay: rule {name!r} is not installed, nor given with --extra MODULE:NAME: "
        f"its alerts ({count}) are left out"
        for name, count in (("Counting", 3), ("Weak", 1))
    ]
    assert main(["replay", str(log), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (len(told["left_out"]), list(told["missing"])) == (4, ["Counting", "Weak"])
    records = [json.loads(line) for line in log.read_text().splitlines()]
    records[1]["alerts"].append(records[0]["alerts"][0] | {"kind": "drain"})  # which our rules do not raise
    log.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
    assert main(["replay", str(log)]) == 1


def test_a_rule_that_the_run_did_not_have_is_asked(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    first = run(log, range(1, 4))
    run(log, range(4, 6), first.state_dict())
    found = replay(log, extra_rules=[Counting()])
    assert found.added == ("Counting",)
    assert [alert.evidence["count"] for alert in found.only_replayed] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("new_folder", [True, False])
def test_a_rule_added_or_removed_on_a_resume(tmp_path: Path, new_folder: bool) -> None:
    log = tmp_path / "run.jsonl"
    other = tmp_path / "other.jsonl" if new_folder else log
    first = run(log, range(1, 4), extra_rules=[Weak()])
    second = run(other, range(4, 7), first.state_dict(), extra_rules=[Weak(), Counting()])
    third = run(other, range(7, 9), second.state_dict())
    fourth = run(other, range(9, 11), third.state_dict(), extra_rules=[Counting()])
    assert custom(fourth.alerts)[1:] == [(step, "Counting: counted") for step in (4, 5, 6, 9, 10)]
    assert fourth.alerts[-1].evidence["count"] == 5
    found = replay(other, extra_rules=[Weak(), Counting()])
    assert (found.only_live, found.only_replayed) == ((), ())
    assert custom(found.replayed) == custom(fourth.alerts)[1 if new_folder else 0 :]


# -- entry points -----------------------------------------------------------------------------------------------------


# -- what a rule may and may not do -----------------------------------------------------------------------------------


def test_a_rule_is_not_asked_during_the_warm_up(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 9), warmup=5, extra_rules=[Weak(), Counting()])
    assert custom(monitor.alerts)[:2] == [(5, "Weak: less than a nat"), (5, "Counting: counted")]
    assert monitor.alerts[-1].evidence["count"] == 4
    assert not replay(log, extra_rules=[Weak(), Counting()]).only_live


def test_kinds_are_for_third_parties_too(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    assert not custom(run(log, range(1, 4), alerts=AlertRules(kinds=["lost"]), extra_rules=[Weak()]).alerts)
    assert not custom(replay(log, extra_rules=[Weak()]).replayed)
    assert custom(run(None, range(1, 4), alerts=AlertRules(kinds=["custom"]), extra_rules=[Weak()]).alerts)


class Scalars(Weak):
    """Returns what NumPy gives."""

    def start(self) -> Any:
        return np.bool_(False)

    def update(self, state: Any, step: int, observed: int, snapshot: Any, regime: Any) -> tuple[Any, Sequence[Alert]]:
        least = np.argmin(snapshot.information)
        evidence = {"least": np.float32(0.5), "dimension": least}
        return np.bool_(True), [] if state else [
            custom_rule.alert(np.int64(step), "x", dimension=least, evidence=evidence)
        ]


def test_numpy_scalars_are_numbers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = tmp_path / "run.jsonl"
    monitor = run(log, range(1, 4), extra_rules=[Scalars()])
    assert not [record for record in caplog.records if "failed" in record.message]
    assert custom(monitor.alerts) == [(1, "Scalars: x")]
    alert = monitor.alerts[-1]
    assert [type(value) for value in (alert.dimension, alert.step, *alert.evidence.values())] == [
        int,
        int,
        float,
        float,
    ]
    assert monitor.state_dict()["pipelines"]["train"]["alerts"]["custom"] == {"Scalars": True}
    assert replay(log, extra_rules=[Scalars()]).replayed == monitor.alerts


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, r"update\(\) must return \(state, alerts\), got NoneType"),
        (3, r"update\(\) must return \(state, alerts\), got int"),
        ((0, None), "TypeError"),
        ((object(), []), "the state may hold numbers, strings, None, lists and dicts, got object"),
        ((np.zeros(2), []), "got ndarray"),
        ((0, [3]), "expected alerts made by polar_monitor.rules.alert, got 3"),
        (({1j: 0}, []), "TypeError"),
        ((np.longdouble(1), []), "got longdouble"),
    ],
)
def test_a_rule_that_returns_something_else_is_disabled(
    returned: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    rule = type("Wrong", (Weak,), {"update": lambda *_: returned})()
    run(None, range(1, 4), extra_rules=[rule])
    (message,) = [record.message for record in caplog.records if "rule 'Wrong' failed" in record.message]
    assert re.search(reason, message)


def test_a_rule_that_fails_is_told_once_and_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    monitor = run(None, range(1, 4), extra_rules=[Broken(), Weak()])
    assert [record.message for record in caplog.records if "Broken" in record.message] == [
        "rule 'Broken' failed (RuntimeError: no such table) and is disabled; training is not affected"
    ]
    assert custom(monitor.alerts) == [(1, "Weak: less than a nat")]
    with pytest.raises(RuntimeError, match="no such table"):
        run(None, range(1, 4), extra_rules=[Broken()], strict=True)


def test_a_rule_that_failed_is_asked_again_after_a_resume(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Repaired(Counting):
        broken = True

        def update(self, *given: Any) -> tuple[Any, Sequence[Alert]]:
            if self.broken and given[1] == 3:
                raise RuntimeError("at step 3")
            return super().update(*given)

    log = tmp_path / "run.jsonl"
    rule = Repaired()
    first = run(log, range(1, 5), extra_rules=[rule])
    assert [step for step, _ in custom(first.alerts)] == [1, 2]
    rule.broken = False
    second = run(log, range(5, 7), first.state_dict(), extra_rules=[rule])
    assert [(step, n) for (step, _), n in zip(custom(second.alerts), (1, 2, 3, 4), strict=True)] == [
        (1, 1), (2, 2), (5, 3), (6, 4),
    ]  # fmt: skip
    assert second.alerts[-1].evidence["count"] == 4
    assert len(custom(run(None, range(5, 7), first.state_dict(), extra_rules=[rule]).alerts)) == 4
    rule.broken = True
    before = len([record for record in caplog.records if "rule 'Repaired' failed" in record.message])
    again = replay(log, extra_rules=[rule])
    assert (again.only_live, again.only_replayed) == ((), ())
    assert len([record for record in caplog.records if "rule 'Repaired' failed" in record.message]) == before + 1


def test_a_rule_that_fails_again_after_a_resume_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    monitor = PolarMonitor(sinks=(), every=1, window=512, max_overhead=1.0, extra_rules=[Broken()])
    for told in (1, 1, 2):
        monitor.observe(np.zeros((512, 2)), var=np.ones((512, 2)))
        monitor.step()
        assert len([record for record in caplog.records if "rule 'Broken' failed" in record.message]) == told
        if monitor.health().steps == 2:
            monitor.load_state_dict(monitor.state_dict())


class Beta(Weak):
    """Wants to know what the loop told."""

    def update(  # type: ignore[override]
        self, state: Any, step: int, observed: int, snapshot: Any, regime: Any, context: Context = NOTHING
    ) -> tuple[Any, Sequence[Alert]]:
        return state, [custom_rule.alert(step, f"β is {context.beta}")]


def test_a_rule_may_ask_what_the_loop_told(tmp_path: Path) -> None:
    monitor = run(tmp_path / "run.jsonl", range(1, 3), extra_rules=[Beta()])
    assert custom(monitor.alerts) == [(1, "Beta: β is 0.1"), (2, "Beta: β is 0.2")]
    assert replay(tmp_path, extra_rules=[Beta()]).replayed == monitor.alerts


class Total:
    """Raises the total at every evaluation, from the observation."""

    def start(self) -> Any:
        return []

    def update(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Alert]]:
        o = observation
        assert o.signals is None
        assert o.snapshot is not None
        assert o.snapshot.histograms == ()
        assert o.regime is not None
        assert o.regime.snapshot is o.snapshot
        total = float(o.snapshot.information.sum())
        message = f"{o.observed} rows at β {o.context.beta}, {len(state)} before"
        return [*state, total], [custom_rule.alert(o.step, message, evidence={"total": total})]


def test_a_rule_takes_the_observation_live_saved_and_replayed(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    first = run(log, range(1, 3), extra_rules=[Total()])
    monitor = run(log, range(3, 4), first.state_dict(), extra_rules=[Total()])
    assert custom(monitor.alerts) == [
        (1, "Total: 512 rows at β 0.1, 0 before"),
        (2, "Total: 512 rows at β 0.2, 1 before"),
        (3, f"Total: 512 rows at β {0.1 * 3}, 2 before"),
    ]
    assert replay(log, extra_rules=[Total()]).replayed == monitor.alerts


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (lambda state, observation: (state, observation.step), 7),
        (lambda state, o: (state, o.step), 7),
        (lambda state, observation, *more: (state, observation.step), 7),
        (lambda state, step, observed, snapshot, regime: (state, step), 7),
        (lambda state, step, observed, snapshot, regime, context: (state, (step, context)), (7, NOTHING)),
        (lambda state, *fields: (state, fields), (7, 9, None, None)),
        (lambda state, *fields, context=None: (state, (*fields, context)), (7, 9, None, None, NOTHING)),
    ],
)
def test_both_forms_of_a_rule_are_told_apart_by_their_parameters(update: Any, expected: Any) -> None:
    class Form(Weak):
        def start(self) -> Any:
            return 0

    form = Form()
    form.update = update  # type: ignore[method-assign]
    named = custom_rule.NamedRule("form", form)
    observation = Observation(7, 9)
    assert update(0, *named._arguments(observation), **named._context(observation))[1] == expected


def test_a_saved_state_that_is_no_plain_data_is_refused() -> None:
    state = run(None, range(1, 3), extra_rules=[Weak()]).state_dict()
    state["pipelines"]["train"]["alerts"]["custom"]["Weak"] = torch.zeros(2)
    with pytest.raises(PolarMonitorError, match=r"expected what PolarMonitor.state_dict\(\) returned"):
        run(None, range(3, 4), state, extra_rules=[Weak()])
