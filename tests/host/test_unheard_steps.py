"""Promise 6 where no step is heard: a copy, or other parameters than the model's, are trained; it is told once."""

from __future__ import annotations

import copy

import torch
from models import Vae, train
from torch import nn
from watching import warned, watched


def test_a_copied_model_that_is_trained_instead_is_told() -> None:
    model = Vae()
    monitor = watched(model)
    trained = copy.deepcopy(model)
    with warned() as caught:
        train(trained, 300)
    assert len(caught) == 1
    assert "50 steps of optimisers, and none that holds a parameter of the Vae" in caught[0]
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
