"""A reading that stops to fit: the later check says so, and what fits instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import D, Run, Toy, X, look_once, noise, rows, run
from torch import Tensor, nn

from polar_monitor.discovery.evidence.later.drift import Check, check, is_rescaled
from polar_monitor.discovery.evidence.later.processing import explanation_of


def found() -> tuple[Toy, Run]:
    model = Toy()
    result = run(model, rows(256, X))
    with torch.no_grad():  # as after some training
        model.lv.weight *= 4
        model.mu.weight *= 3
        model.mu.bias += 0.5
    return model, result


def checked(forward: Callable[..., Any] | None) -> Check:
    model, result = found()
    model.given = forward
    outcome = check(result.readings[0], look_once(model, torch.randn(512, X)))
    assert outcome is not None
    return outcome


def with_change(mean: Callable[[Tensor], Tensor], std: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    return lambda model, x, m, s: (model.dec(noise(mean(m), std(s))), m, s)


def half(s: Tensor) -> Tensor:
    return (s / 2).exp()


def same(m: Tensor) -> Tensor:
    return m


CHANGES: dict[str, tuple[Callable[..., Any], str, str]] = {
    "halved": (with_change(same, lambda s: (s / 4).exp()), "{s}", "0.5 * {s}"),
    "clamped": (with_change(same, lambda s: half(s.clamp(max=0.5))), "{s}", "{s}.clamp(max=0.5)"),
    "layer norm": (
        with_change(lambda m: nn.functional.layer_norm(m, (D,)), half),
        "torch.nn.functional.layer_norm({s}, {s}.shape[-1:])", "{s}",
    ),
    "softplus": (with_change(same, nn.functional.softplus), "{s}", "torch.nn.functional.softplus({s})"),
    "log σ": (with_change(same, torch.exp), "{s}", "{s}"),
}  # fmt: skip


def test_a_reading_that_fits_goes_on() -> None:
    assert checked(None).fits


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 200.0, -6000.0])
@pytest.mark.parametrize("side", ["mu", "lv"])
def test_numbers_that_are_not_finite_say_nothing_of_a_reading(side: str, number: float) -> None:
    model, result = found()
    with torch.no_grad():
        getattr(model, side).bias[0] = number
    outcome = check(result.readings[0], look_once(model, torch.randn(512, X)))
    assert outcome is None or outcome.fits


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_behind_the_layer_is_named(change: str) -> None:
    forward, mean, spread = CHANGES[change]
    outcome = checked(forward)
    assert not outcome.fits
    assert outcome.numbers is not None
    explanation = explanation_of(*outcome.numbers)
    assert explanation is not None
    assert (explanation.mean.code, explanation.spread.code) == (mean, spread)


def test_a_scale_and_shift_of_each_dimension_is_known_as_such() -> None:
    model, result = found()
    model.given = with_change(lambda m: nn.functional.batch_norm(m, None, None, training=True), half)
    outcome = check(result.readings[0], look_once(model, torch.randn(512, X)))
    assert outcome is not None
    assert outcome.numbers is not None
    assert not outcome.fits
    assert is_rescaled(result.readings[0], outcome.numbers)
    assert not is_rescaled(result.readings[0], outcome.numbers._replace(z=outcome.numbers.z**3))


def test_a_step_without_the_modules_says_nothing() -> None:
    _, result = found()
    assert check(result.readings[0], []) is None


def test_few_numbers_say_nothing() -> None:
    model, result = found()
    model.given = CHANGES["halved"][0]
    outcome = check(result.readings[0], look_once(model, torch.randn(4, X)))
    assert outcome is not None
    assert outcome.fits
