"""Warnings of a monitor that sees nothing: when, once, and with which cause."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from watching import warned

from polar_monitor.monitor import diagnostics
from polar_monitor.monitor.diagnostics import SILENT_FROM_START, SILENT_LATER, Diagnostics
from polar_monitor.monitor.options import Settings
from polar_monitor.monitor.pipeline import ModePipeline


def made(*modes: str, **facts: Any) -> Diagnostics:
    """Diagnostics of hooks with these facts."""
    settings = Settings(512, None, "information", None, 0)  # type: ignore[arg-type]
    one = Diagnostics({mode: ModePipeline(mode, None, settings, 2) for mode in modes or ("train",)})
    known = {
        "names": ("'fc_mu'", "'fc_logvar'"),
        "where": "'fc_mu'",
        "model_compiled_before": False,
        "class_compiled_before": False,
        "moved": False,
        "unwatched": 0,
        "in_eval": False,
        "errors": 0,
        "last_error": "",
        "changes": list,
    }
    one.hooks = SimpleNamespace(**(known | facts))  # type: ignore[assignment]
    return one


def steps(one: Diagnostics, number: int, forwards: int = 0) -> list[str]:
    """The warnings of so many steps with so many forwards each."""
    with warned() as caught:
        for step in range(1, number + 1):
            for pipeline in one._pipelines.values():
                pipeline.ring.calls += forwards
            one.step(step)
    return list(caught)


def test_silence_from_the_start_is_warned_of_early_and_once() -> None:
    one = made()
    assert steps(one, SILENT_FROM_START - 1) == []
    (message,) = steps(one, 1000)
    assert f"no latent seen from 'fc_mu' in {SILENT_FROM_START} steps; likely causes: " in message


def test_silence_after_forwards_is_warned_of_later_and_a_state_begins_anew() -> None:
    one = made()
    assert steps(one, 10, forwards=1) == []
    assert steps(one, SILENT_LATER - 1) == []
    one.resume()
    assert steps(one, SILENT_FROM_START - 1) == []
    assert len(steps(one, 1)) == 1


@pytest.mark.parametrize(("seen", "quiet"), [(0, SILENT_FROM_START), (20, SILENT_LATER)])
@pytest.mark.parametrize("modes", [("train",), ("train", "eval")])
def test_a_model_left_in_eval_mode_is_named_first(seen: int, quiet: int, modes: tuple[str, ...]) -> None:
    one = made(*modes, last_error="ValueError: no", unwatched=7)
    train = one._pipelines["train"].ring
    for step in range(1, seen + 1):
        train.calls += 1
        one.step(step)
    one.hooks.in_eval = True  # type: ignore[misc,union-attr]
    with warned() as caught:
        for step in range(seen + 1, seen + quiet + 1):
            if "eval" in modes:
                one._pipelines["eval"].ring.calls += 1
            else:
                one.hooks.unwatched += 1  # type: ignore[misc,union-attr]
            one.step(step)
    assert f"{quiet - 1} forwards in them were in eval mode: call model.train()" in caught[0]
    assert ('or watch modes=("train", "eval")' in caught[0]) is ("eval" not in modes)


def test_a_validation_before_a_silence_is_no_cause_of_it() -> None:
    one = made(unwatched=500)
    (message,) = steps(one, SILENT_FROM_START)
    assert "likely causes" in message


def test_rows_by_hand_may_be_rare() -> None:
    one = made()
    one.hooks = None
    assert steps(one, 1, forwards=1) == []
    assert steps(one, 2 * SILENT_LATER) == []


@pytest.mark.parametrize(
    ("facts", "ring", "cause"),
    [
        ({"last_error": "ValueError: no", "moved": True}, {}, "the last error: ValueError: no"),
        ({"moved": True, "class_compiled_before": True}, {}, "another device"),
        ({"class_compiled_before": True}, {}, "another model of the same class"),
        ({"class_compiled_before": True}, {"empty": 3, "calls": 4}, "3 of 4 forwards gave no rows"),
        (
            {},
            {"empty": 3, "misaligned": 7},
            "dropped 7 rows: 'fc_mu' and 'fc_logvar' were called a different number of times in a step",
        ),
    ],
)
def test_the_likely_cause_is_named(facts: dict[str, Any], ring: dict[str, int], cause: str) -> None:
    one = made(**facts)
    vars(one._pipelines["train"].ring).update(ring)
    with pytest.warns(UserWarning, match=cause):
        one.warn_of_silence(50)


def test_a_cause_that_was_warned_of_is_not_repeated() -> None:
    with warned() as caught:
        made(model_compiled_before=True).warn_of_silence(50)
    assert not caught
    one = made()
    failing = one.hooks
    failing.errors, failing.last_error = 2, "ValueError: no"  # type: ignore[union-attr,misc]
    with pytest.warns(UserWarning, match="the latent from 'fc_mu' could not be recorded: ValueError: no"):
        assert one.taps_failed(observed=False)
    failing.errors = 4  # type: ignore[union-attr,misc]
    with warned() as caught:
        one.warn_of_silence(50)
        assert one.taps_failed(observed=False)
        assert not one.taps_failed(observed=False)  # no new error
        failing.errors = 5  # type: ignore[union-attr,misc]
        assert not one.taps_failed(observed=True)
    assert not caught


def test_a_missing_validation_is_warned_of_if_there_was_time_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "NO_VALIDATION", 100)
    one = made("eval")
    assert steps(one, SILENT_FROM_START - 1) == []
    with warned() as caught:
        one.warn_of_no_validation()
    assert not caught
    (message,) = steps(one, 200)
    assert "modes= contains 'eval', but 'fc_mu' gave no latent in eval mode in 100 steps" in message
    assert steps(made("train", "eval"), 200, forwards=1) == []
