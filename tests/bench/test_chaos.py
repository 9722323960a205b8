"""The random scenarios of `bench/chaos.py`: they repeat, cover their table, and see what is wrong."""

from __future__ import annotations

import pytest
import torch

from bench.host import scenario as chaos

PLAIN = {name: choices[0] for name, choices in chaos.TABLE.items()}


def test_scenarios_repeat_and_cover_the_table() -> None:
    plans = [chaos.scenario(seed) for seed in range(300)]
    assert plans == [chaos.scenario(seed) for seed in range(300)]
    assert {event for plan in plans for event in plan.events.values()} == set(chaos.EVENTS)
    for name, choices in chaos.TABLE.items():
        assert {plan.settings[name] for plan in plans} == set(choices)


@pytest.mark.filterwarnings("ignore::polar_monitor.PolarMonitorWarning")
def test_a_scenario_sees_rows_that_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = chaos.Scenario(3, PLAIN | {"modes": ("train", "eval"), "every": 7}, {5: "state", 9: "copy"})
    without, left = chaos.run(plan, monitored=False), chaos.run(plan, monitored=True)
    assert left.problems == []
    assert all(torch.equal(without.numbers[name], left.numbers[name]) for name in without.numbers if name != "python")
    ring = "polar_monitor.capture.ring.PairedRingBuffer"
    monkeypatch.setattr(f"{ring}.enter", lambda ring, begins_forward=False: False)
    assert chaos.run(plan, monitored=True).problems == []  # dropped, and counted
    monkeypatch.setattr(f"{ring}.refuse", lambda ring, rows: None)
    assert "only 0 rows counted" in " ".join(chaos.run(plan, monitored=True).problems)
