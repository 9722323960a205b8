"""One tick for each real update."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from models import Vae
from torch import nn
from watching import Memory, watched

from polar_monitor.schedule.optimizer_clock import PATIENCE, OptimizerClock


class Counter:
    def __init__(self) -> None:
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1


def test_updates_of_the_model_are_counted_and_others_are_not() -> None:
    model, other, counter = nn.Linear(2, 2), nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    mine, theirs = torch.optim.SGD(model.parameters(), 0.1), torch.optim.SGD(other.parameters(), 0.1)
    for _ in range(3):
        mine.step()
        theirs.step()
    assert counter.ticks == 3
    clock.stop()
    clock.stop()
    mine.step()
    assert counter.ticks == 3


def test_accumulated_gradients_are_one_step_and_skipped_steps_are_none() -> None:
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu")
    for bad in (False, True, False):
        for _ in range(4):
            scaler.scale(model(torch.randn(3, 2)).sum()).backward()
        if bad:
            for p in model.parameters():
                p.grad = torch.full_like(p, torch.inf)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert counter.ticks == 2
    clock.stop()


class Careful(torch.optim.SGD):
    """An optimiser that does something around the step of another class."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class Outer(Careful):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.mark.parametrize("kind", [torch.optim.SGD, Careful, Outer])
def test_a_step_that_calls_that_of_its_base_class_is_one(kind: type[torch.optim.SGD]) -> None:
    model, other, counter = nn.Linear(2, 2), nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    for every in (torch.optim.SGD, Careful):  # the hooks of a class come with its first object
        every(other.parameters(), 0.1).step()
    optimizer = kind(model.parameters(), 0.1)
    for _ in range(4):
        optimizer.step()
    assert counter.ticks == 4
    clock.stop()


def test_two_optimisers_of_one_model_count_once_an_iteration() -> None:
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    first, second = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for _ in range(5):
        first.step()
        second.step()
    assert counter.ticks == 5
    for _ in range(PATIENCE + 3):  # the first one is used no more
        second.step()
    assert counter.ticks > 5
    clock.stop()


@pytest.mark.parametrize("rare_is_first", [True, False])
def test_the_optimiser_that_steps_most_leads(rare_is_first: bool) -> None:
    """Of an embedding whose optimiser steps every seventh time, and the rest."""
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    rare, main = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for step in range(50):
        if rare_is_first and step % 7 == 0:
            rare.step()
        main.step()
        if not rare_is_first and step % 7 == 0:
            rare.step()
    assert counter.ticks == 50
    clock.stop()


def test_a_leader_of_long_is_replaced_by_one_that_steps_more() -> None:
    model, counter = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), Counter()
    clock = OptimizerClock(model, counter.tick)
    first, second = (torch.optim.SGD(part.parameters(), 0.1) for part in model)
    for _ in range(100):
        first.step()
    for step in range(700):
        if step % 7 == 0:
            first.step()
        second.step()
    assert 800 - 2 * PATIENCE < counter.ticks <= 800
    clock.stop()


@pytest.mark.parametrize("order", ["ab", "abba", "aabb", "baab", "abc", "abccba"])
def test_optimisers_that_step_as_often_count_once_in_any_order(order: str) -> None:
    model, counter = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3))), Counter()
    clock = OptimizerClock(model, counter.tick)
    optimizers = dict(zip("abc", (torch.optim.SGD(part.parameters(), 0.1) for part in model), strict=True))
    for _ in range(50):
        for name in order:
            optimizers[name].step()
    assert abs(counter.ticks - 50 * order.count("a")) <= 2
    clock.stop()


def test_an_optimiser_that_took_the_place_of_a_dead_one_is_looked_at() -> None:
    """Two that were never alive together may have one id."""
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    other = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    other.step()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    clock._known[id(optimizer)] = clock._known.pop(id(other))
    del other
    gc.collect()
    optimizer.step()
    optimizer.step()
    assert counter.ticks == 2
    clock.stop()


def test_a_clock_keeps_nothing_alive() -> None:
    model, counter = nn.Linear(2, 2), Counter()
    clock = OptimizerClock(model, counter.tick)
    gone = weakref.ref(model)
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1)
    del model
    gc.collect()
    assert gone() is None
    optimizer.step()
    del counter
    gc.collect()
    optimizer.step()
    clock.stop()


class Critical(Vae):
    """A VAE with a critic in it."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = nn.Linear(12, 1)


@pytest.mark.parametrize("rounds", [1, 5])
@pytest.mark.parametrize("first", ["critic", "vae"])
@pytest.mark.parametrize("split", [False, True])
def test_steps_are_those_of_the_optimiser_that_trains_the_latent(rounds: int, first: str, split: bool) -> None:
    """Whatever a critic, or an optimiser of the decoder, does more often."""
    model = Critical()
    monitor = watched(model, every=10)
    others = {"critic", "decoder"} if split else {"critic"}
    groups = {name: list(getattr(model, name).parameters()) for name in others}
    rest = [p for name, p in model.named_parameters() if name.split(".")[0] not in others]
    optimizers = {name: torch.optim.SGD(group, 0.0) for name, group in groups.items()}
    of_vae = torch.optim.SGD(rest, 0.0)
    for iteration in range(40):
        if first == "vae" or iteration:
            of_vae.step()
        for _ in range(rounds):
            model(torch.randn(8, 12))
            for optimizer in optimizers.values():
                optimizer.step()
        if first == "critic" and not iteration:
            of_vae.step()
    early = rounds if first == "critic" else 0  # nobody knows yet that another one trains the latent
    assert 40 <= monitor.health().steps <= 40 + early


def test_without_an_optimiser_of_the_latent_the_one_with_most_steps_leads() -> None:
    """As where the heads are frozen."""
    model = Critical()
    model.fc_mu.requires_grad_(False)
    model.fc_logvar.requires_grad_(False)
    monitor = watched(model, every=10)
    of_body, of_critic = (torch.optim.SGD(part.parameters(), 0.0) for part in (model.body, model.critic))
    for _ in range(40):
        model(torch.randn(8, 12))
        of_body.step()
        of_critic.step()
    assert monitor.health().steps == 40


def test_the_weight_decay_is_that_of_the_optimisers_of_the_latent() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "decoder": nn.Linear(2, 2)})
    clock = OptimizerClock(model, Counter().tick)
    assert clock.weight_decay() is None
    clock.follow((weakref.ref(model["encoder"]),))
    theirs = torch.optim.SGD(model["decoder"].parameters(), 0.1, weight_decay=0.5)
    theirs.step()
    assert clock.weight_decay() == 0.5
    groups = [
        {"params": [parameter], "weight_decay": 0.1 * k} for k, parameter in enumerate(model["encoder"].parameters())
    ]
    mine = torch.optim.Adam(groups)
    mine.step()
    assert clock.weight_decay() == 0.1
    for group in mine.param_groups:
        group["weight_decay"] = 0.0
    assert clock.weight_decay() == 0.0
    mine.param_groups[0]["weight_decay"] = torch.tensor(0.1)  # on a device it would have to be waited for
    assert clock.weight_decay() is None
    mine.param_groups = None  # type: ignore[assignment]
    assert clock.weight_decay() is None
    clock.stop()


def test_the_weight_decay_of_other_parameter_groups_is_none_of_the_latent() -> None:
    """One optimiser, in any order: the decoder decays, the heads do not; and the heads where nothing else does."""
    model = nn.ModuleDict({"heads": nn.Linear(2, 2), "decoder": nn.Linear(2, 2)})
    for parts in (("heads", "decoder"), ("decoder", "heads")):
        for decaying, known in (("decoder", 0.0), ("heads", 0.3)):
            clock = OptimizerClock(model, Counter().tick)
            clock.follow((weakref.ref(model["heads"]),))
            groups = [{"params": model[part].parameters(), "weight_decay": 0.3 * (part == decaying)} for part in parts]
            optimizer = torch.optim.AdamW(groups)
            optimizer.step()
            assert clock.weight_decay() == known
            clock.stop()


@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_each_evaluation_knows_the_weight_decay(decay: float) -> None:
    model, sink = Vae(), Memory()
    monitor = watched(model, sinks=(sink,), every=5)
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=decay)
    for _ in range(20):
        model(torch.randn(64, 12))
        optimizer.step()
    monitor.load_state_dict(monitor.state_dict())
    for _ in range(10):
        model(torch.randn(64, 12))
        optimizer.step()
    assert {record.context.weight_decay for record in sink.records} == {decay}
