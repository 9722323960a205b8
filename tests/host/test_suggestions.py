"""What a message tells to write works: each one is raised, and then what it says is done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from messages.suggesting import Suggestion, follow
from models import Autoencoder, Vae, train
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor, attach, classify

ROWS = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
X = torch.randn(600, 12, generator=torch.Generator().manual_seed(0))


MODELS: list[nn.Module] = []
"""Models that must live: a monitor does not keep its model."""


CODES = torch.from_numpy(ROWS)


def nats(output: Any, batch: Tensor) -> Tensor:
    """Loss of each input."""
    return (output[0] - batch).square().sum(1)


def quiet(**options: Any) -> dict[str, Any]:
    return {"sinks": (), "every": 5, "max_overhead": 1.0, **options}


def by_hand(**options: Any) -> PolarMonitor:
    return PolarMonitor(**quiet(**options))


def watching(model: nn.Module, **options: Any) -> PolarMonitor:
    """A monitor that has seen a short training."""
    MODELS.append(model)
    monitor = attach(model, **quiet(**options))
    train(model, 10, batch=128)
    assert monitor.snapshot() is not None
    return monitor


def named(**options: Any) -> PolarMonitor:
    return watching(Vae(), mean="fc_mu", logvar="fc_logvar", **options)


def again(name: str | None, detach: bool = False) -> None:
    model = Vae()
    first = watching(model, mean="fc_mu", logvar="fc_logvar")
    if detach:
        first.detach()
    second = watching(model, mean="fc_mu", logvar="fc_logvar", **({} if name is None else {"name": name}))
    assert second.attached
    assert first.attached is (name is not None)


def observed(*calls: dict[str, Any], **options: Any) -> PolarMonitor:
    monitor = by_hand(**options)
    for call in calls:
        monitor.observe(torch.from_numpy(ROWS), **call)
    monitor.step()
    return monitor


class Holder:
    """An object that holds a model, as those of some packages do."""

    def __init__(self) -> None:
        self.net = Vae()


class Complex(nn.Module):
    """A latent of another kind of numbers."""

    def __init__(self, convert: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.mu, self.convert = nn.Linear(12, 4), convert

    def forward(self, x: Tensor) -> Tensor:
        return self.convert(self.mu(x))


def converted(convert: Callable[[Tensor], Tensor], mean: Any = "own") -> PolarMonitor:
    model = Complex(convert)
    monitor = attach(model, mean=(lambda out: out) if mean == "own" else mean, **quiet())
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(X[:128])
        optimizer.step()
    assert mean == "own" or monitor.snapshot() is not None
    return monitor


def state(saved_window: int, **options: Any) -> None:
    saved = named(window=saved_window).state_dict()
    attach(Vae(), mean="fc_mu", logvar="fc_logvar", **quiet(**options)).load_state_dict(saved)


def used_again(number: int) -> None:
    folder = Path(tempfile.mkdtemp())
    for run in range(2):
        model = Vae()
        monitor = attach(model, log_dir=folder / str(number * run), every=5, max_overhead=1.0)
        train(model, 10)
        monitor.detach()


def steps_by_hand(tell: bool) -> None:
    model = Vae()
    monitor = attach(model, mean="fc_mu", logvar="fc_logvar", **quiet())
    for _ in range(60):
        model(X)
        if tell:
            monitor.step()
    monitor.detach()


def silent(modes: tuple[str, ...]) -> None:
    model = Vae()
    monitor = attach(model, mean="fc_mu", logvar="fc_logvar", **quiet(modes=modes))
    train(model, 60)
    monitor.detach()


class NeedsOne:
    """A rule that needs an argument."""

    def __init__(self, number: int) -> None:
        self.name = f"needs{number}"

    def start(self) -> dict[str, Any]:
        return {}

    def update(self, state: Any, observation: Any) -> tuple[Any, tuple[()]]:
        return state, ()


class Changing(nn.Module):
    """A latent whose number of dimensions changes, and one module for each number."""

    def __init__(self) -> None:
        super().__init__()
        self.any, self.narrow, self.wide = nn.Identity(), nn.Linear(12, 3), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.any(self.narrow(x)), self.any(self.wide(x))


def in_turn(named_each: bool) -> None:
    model = Changing()
    names = ("narrow", "wide") if named_each else ("any",)
    monitors = [attach(model, mean=name, **quiet(name=name)) for name in names]
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(10):
        model(X[:128])
        optimizer.step()
    assert [monitor.snapshot() is not None for monitor in monitors] == [True] * len(monitors)


SUGGESTIONS = {
    "evaluate without a model": Suggestion(
        "write monitor = polar_monitor.attach(model), or polar_monitor.classify(mean, …)",
        lambda: by_hand().evaluate(X),
        lambda: (named().evaluate(X), classify(ROWS)),
    ),
    "probe without a model": Suggestion(
        "write monitor = polar_monitor.attach(model), or polar_monitor.ablate(model, batch)",
        lambda: by_hand().probe(X),
        lambda: (named().probe(X, loss=nats), polar_monitor.ablate(Vae(), X, loss=nats)),
    ),
    "a reserved name": Suggestion("write name='latent'", lambda: by_hand(name="train"), lambda: by_hand(name="latent")),
    "another window": Suggestion(
        "write attach(model, window=992)", lambda: state(1000), lambda: state(1000, window=992)
    ),
    "no log": Suggestion(
        "attach(model, log_dir=…), or leave sinks=… out",
        lambda: named().history,
        lambda: named(sinks=None, log_dir=tempfile.mkdtemp()).history,
    ),
    "rows of another mode": Suggestion(
        'write attach(…, modes=("train", "eval"))',
        lambda: observed({"mode": "eval"}),
        lambda: observed({"mode": "eval"}, modes=("train", "eval")),
    ),
    "rows without their spread": Suggestion(
        "call monitor.observe(mean, logvar=…)",
        lambda: observed({"logvar": torch.from_numpy(-np.abs(ROWS))}, {}),
        lambda: observed(*[{"logvar": torch.from_numpy(-np.abs(ROWS))}] * 2),
    ),
    "a variance below 0": Suggestion(
        "pass it as logvar= if it is log σ², as logstd= if it is log σ",
        lambda: classify(ROWS, var=ROWS),
        lambda: (classify(ROWS, logvar=ROWS), classify(ROWS, logstd=ROWS)),
    ),
    "two spreads": Suggestion(
        "pass one",
        lambda: classify(ROWS, var=ROWS**2, std=ROWS**2),
        lambda: classify(ROWS, var=ROWS**2),
    ),
    "a list of arrays": Suggestion(
        "pass iter(chunks) or np.concatenate(chunks)",
        lambda: classify([ROWS, ROWS[:100]]),
        lambda: (classify(iter([ROWS, ROWS[:100]])), classify(np.concatenate([ROWS, ROWS[:100]]))),
    ),
    "watched already": Suggestion(
        "call monitor.detach() first, or pass name=… to keep both",
        lambda: again(None),
        lambda: (again(None, detach=True), again("second")),
    ),
    "a spread without a mean": Suggestion(
        'pass mean="<module>" beside it',
        lambda: attach(Vae(), logvar="fc_logvar", **quiet()),
        lambda: named(),
    ),
    "an object that holds a model": Suggestion(
        "which holds one: write attach(model.net)",
        lambda: attach(Holder(), **quiet()),  # type: ignore[arg-type]
        lambda: watching(Holder().net),
    ),
    "complex numbers": Suggestion(
        "that gives out.real or out.abs()",
        lambda: converted(lambda out: out + 1j),
        lambda: (
            converted(lambda out: out + 1j, lambda out: out.real),
            converted(lambda out: out + 1j, lambda out: out.abs()),
        ),
    ),
    "a sparse tensor": Suggestion(
        "pass mean=lambda out: out.to_dense()",
        lambda: converted(lambda out: out.to_sparse()),
        lambda: converted(lambda out: out.to_sparse(), lambda out: out.to_dense()),
    ),
    "a folder that is used again": Suggestion(
        "Pass a log_dir= of its own, or go on with monitor.load_state_dict()",
        lambda: used_again(0),
        lambda: used_again(1),
    ),
    "no step of an optimiser": Suggestion(
        "call monitor.step() after each update", lambda: steps_by_hand(False), lambda: steps_by_hand(True)
    ),
    "no validation": Suggestion(
        "write modes=('train',)", lambda: silent(("train", "eval")), lambda: silent(("train",))
    ),
    "a scale of two kinds": Suggestion(
        "leave out one",
        lambda: attach(Autoencoder(), decoder="decoder", resolution=0.1, **quiet()),
        lambda: (
            attach(Autoencoder(), decoder="decoder", **quiet()),
            attach(Autoencoder(), resolution=0.1, **quiet()),
        ),
    ),
    "a layout that is not known": Suggestion(
        'write layout="nd", "ntd", "tnd", "ndt", "ndhw"',
        lambda: classify(np.ones((4, 3, 8, 2), np.float32), layout="nope"),
        lambda: [classify(np.random.default_rng(0).normal(size=s), layout=w) for w, s in LAYOUTS.items()],
    ),
    "codes of a decoder": Suggestion(
        "write ablate(decoder, codes, targets=x)",
        lambda: polar_monitor.ablate(lambda z: z, (torch.from_numpy(ROWS), X)),
        lambda: polar_monitor.ablate(nn.Identity(), CODES, targets=CODES + 0.1 * torch.randn(CODES.shape)),
    ),
    "a prior of a function": Suggestion(
        "pass the two arrays that it gives for these rows",
        lambda: classify(ROWS, prior=lambda out: (out, out)),
        lambda: classify(ROWS, prior=(np.zeros_like(ROWS), np.ones_like(ROWS))),
    ),
    "rules that counted evaluations": Suggestion(
        "write AlertRules(",
        lambda: polar_monitor.AlertRules(horizon=4),  # type: ignore[call-arg]
        lambda: polar_monitor.AlertRules(horizon_steps=100.0),
    ),
    "a rule without its arguments": Suggestion(
        "pass an object, NeedsOne(…)",
        lambda: by_hand(extra_rules=[NeedsOne]),
        lambda: by_hand(extra_rules=[NeedsOne(1)]),
    ),
    "two latents in turn": Suggestion(
        'give each its own: attach(model, mean=…, name="…")', lambda: in_turn(False), lambda: in_turn(True)
    ),
    "a state of the loop's kind of model": Suggestion(
        "attach to model.module",
        lambda: attach(nn.DataParallel(Vae()), **quiet()),
        lambda: watching(nn.DataParallel(Vae()).module),
    ),
}
LAYOUTS = {"nd": (600, 3), "ntd": (200, 5, 3), "tnd": (5, 200, 3), "ndt": (200, 3, 5), "ndhw": (100, 3, 4, 4)}


@pytest.mark.parametrize("suggestion", SUGGESTIONS.values(), ids=list(SUGGESTIONS))
def test_doing_what_a_message_says_ends_it(suggestion: Suggestion, caplog: pytest.LogCaptureFixture) -> None:
    follow(suggestion, caplog)
