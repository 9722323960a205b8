"""A reading that stops to fit: the later check says so, and what fits instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import D, Run, Toy, X, look_once, noise, rows, run
from torch import Tensor, nn

from polar_monitor.discovery.evidence.drift import Check, check


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


CHANGES: dict[str, tuple[Callable[..., Any], str]] = {
    "halved": (with_change(same, lambda s: (s / 4).exp()), "log σ is multiplied by 0.5 after the module"),
    "clamped": (with_change(same, lambda s: half(s.clamp(max=0.3))), "log σ is clamped to at most about"),
    "batch norm": (
        with_change(lambda m: nn.functional.batch_norm(m, None, None, training=True), half), "as a normalisation layer"
    ),
    "layer norm": (with_change(lambda m: nn.functional.layer_norm(m, (D,)), half), "as a LayerNorm does"),
}  # fmt: skip


def test_a_reading_that_fits_goes_on() -> None:
    assert checked(None).fits


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_behind_the_layer_is_named(change: str) -> None:
    outcome = checked(CHANGES[change][0])
    assert not outcome.fits
    assert CHANGES[change][1] in outcome.change


def test_a_wrong_unit_gives_the_reading_that_fits() -> None:
    for std, name in (
        (nn.functional.softplus, "σ = softplus(·)"),
        (torch.exp, "log σ"),
        (same, "σ, negative in places"),
    ):
        outcome = checked(with_change(same, std))
        assert outcome.better is not None
        assert outcome.better.form.name == name
        assert outcome.better.mean.module == "mu"


def test_a_step_without_the_modules_says_nothing() -> None:
    _, result = found()
    assert check(result.readings[0], []) is None


def test_few_numbers_say_nothing() -> None:
    model, result = found()
    model.given = CHANGES["halved"][0]
    outcome = check(result.readings[0], look_once(model, torch.randn(4, X)))
    assert outcome is not None
    assert outcome.fits
