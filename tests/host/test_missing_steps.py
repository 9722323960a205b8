"""Promise 6 where no step is heard: a copy, or other parameters than the model's, are trained; it is told once."""

from __future__ import annotations

import copy

import pytest
import torch
from models import Vae, train
from torch import nn
from watching import warned, watched

from polar_monitor.schedule.missing_steps import MAX_FORWARDS

X = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))


def test_a_copied_model_that_is_trained_instead_is_told() -> None:
    model = Vae()
    monitor = watched(model)
    trained = copy.deepcopy(model)
    with warned() as caught:
        train(trained, 300)
    assert len(caught) == 1
    assert "saw 50 optimiser steps; no optimiser holds a parameter of the Vae" in caught[0]
    assert "a copy of it is trained" in caught[0]
    assert monitor.health().steps == 0


def test_an_optimiser_of_parameters_that_were_replaced_is_told() -> None:
    model = Vae()
    watched(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for module in (model.body[0], model.fc_mu, model.fc_logvar, model.decoder):
        module.weight, module.bias = (nn.Parameter(p.detach().clone()) for p in (module.weight, module.bias))
    with warned() as caught:
        train(model, 300, optimizer=optimizer)
    assert len(caught) == 1
    assert "replaced after the optimiser was made" in caught[0]


def test_an_optimiser_with_parameters_of_its_own_is_told() -> None:
    model = Vae()
    watched(model)
    flat = nn.Parameter(torch.cat([p.detach().flatten() for p in model.parameters()]))
    with warned() as caught:
        train(model, 300, optimizer=torch.optim.SGD([flat], 0.01))
    assert len(caught) == 1
    assert "call monitor.step()" in caught[0]


def test_another_model_that_is_trained_first_is_no_silence() -> None:
    model = Vae()
    monitor = watched(model)
    for other in (nn.Linear(12, 12), Vae()):
        train(other, 100)
    train(model, 20)
    assert monitor.health().steps == 20


def update_by_hand(model: nn.Module) -> None:
    model(X)[0].square().mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
                parameter.grad = None


def test_updates_without_an_optimiser_are_told_and_may_be_counted_by_hand() -> None:
    model = Vae()
    monitor = watched(model)
    with warned() as caught:
        for _ in range(MAX_FORWARDS - 1):
            update_by_hand(model)
        assert not caught
        for _ in range(2 * MAX_FORWARDS):
            update_by_hand(model)
    assert len(caught) == 1
    assert f"{MAX_FORWARDS} forwards of Vae in training were seen, but no step" in caught[0]
    assert "call monitor.step()" in caught[0]
    with warned() as caught:
        for _ in range(20):
            update_by_hand(model)
            monitor.step()  # what it advises
    assert not caught
    assert monitor.health().evaluations == 2
    assert monitor.health().errors == 0


@pytest.mark.parametrize("use", ["validation", "no_grad", "frozen", "accumulation", "by_hand", "ended"])
def test_forwards_that_need_no_step_are_no_silence(use: str) -> None:
    model = Vae()
    monitor = watched(model, modes=("train", "eval"))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    model.train(use != "validation")
    model.requires_grad_(use != "frozen")
    if use == "ended":
        monitor.detach()
    with warned() as caught, torch.set_grad_enabled(use != "no_grad"):
        for step in range(3 * MAX_FORWARDS):
            model(X)
            if use == "accumulation" and step % 100 == 99:
                optimizer.step()
            elif use == "by_hand" and step % 100 == 99:
                monitor.step()
    assert not caught


def test_what_counts_the_forwards_goes_with_the_first_step() -> None:
    model = Vae()
    monitor = watched(model)
    ring = monitor._loop.pipelines["train"].ring
    model(X)
    assert ring.listener is not None
    train(model, 1)
    assert ring.listener is None
    assert monitor.evaluate()[0].observed == 16 + 64
