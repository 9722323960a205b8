"""What a message about a model's modules and outputs tells to write works: it is raised, and then that is done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from messages.suggesting import Suggestion, follow
from models import Vae, train
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor, attach

X = torch.randn(600, 12, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(600, 3, generator=torch.Generator().manual_seed(1))
PRIOR = (torch.zeros(600, 3), torch.ones(600, 3))
QUIET: dict[str, Any] = {"sinks": (), "every": 5, "max_overhead": 1.0}
MODELS: list[nn.Module] = []
"""Models that must live: a monitor does not keep its model."""


class Other(nn.Module):
    """A latent in one module, whose output has any form."""

    def __init__(self, form: Callable[[Tensor], Any] = lambda out: out, width: int = 8) -> None:
        super().__init__()
        self.code = nn.Sequential(nn.Linear(12, width))
        self.narrow, self.form, self.last = nn.Linear(12, 3), form, Last(form)

    def forward(self, x: Tensor) -> Any:
        self.narrow(x)
        return self.last(self.code(x))


class Last(nn.Module):
    """A module that gives its input in any form."""

    def __init__(self, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Any:
        return self.form(x)


def watching(model: nn.Module, **options: Any) -> PolarMonitor:
    """A monitor that has seen a short training."""
    MODELS.append(model)
    monitor = attach(model, **{**QUIET, **options})
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for _ in range(12):
        model(X[:128])
        optimizer.step()
    return monitor


def seen(model: nn.Module, **options: Any) -> None:
    assert watching(model, **options).snapshot() is not None


def observed(calls: list[dict[str, Any]], **options: Any) -> None:
    monitor = PolarMonitor(**{**QUIET, **options})
    for call in calls:
        monitor.observe(ROWS, **call)


def two_in_a_folder(name: str | None, detach: bool) -> None:
    folder = tempfile.mkdtemp()
    for number in range(2):
        MODELS.append(model := Vae())
        monitor = attach(model, mean="fc_mu", logvar="fc_logvar", log_dir=folder, name=name if number else None)
        if detach:
            monitor.detach()


def loop(first: dict[str, Any]) -> None:
    PolarMonitor(**QUIET).log(**first)


def triple(out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return out[:, :4], out[:, 4:], out[:, :4]


def pair(out: Tensor) -> tuple[Tensor, Tensor]:
    return out[:, :4], out[:, 4:]


def named(out: Tensor) -> dict[str, Tensor]:
    return {"a": out[:, :4], "b": out[:, 4:]}


def evaluated(batch: Any) -> None:
    MODELS.append(model := Vae())
    attach(model, mean="fc_mu", logvar="fc_logvar", **QUIET).evaluate(batch)


SUGGESTIONS = {
    "a module that is not there": Suggestion(
        'Write mean="fc_mu"', lambda: attach(Vae(), mean="fc_mus", **QUIET), lambda: seen(Vae(), mean="fc_mu")
    ),
    "a module of another model": Suggestion(
        'pass its name, as in mean="<module>"',
        lambda: attach(Vae(), mean=nn.Linear(2, 2), **QUIET),
        lambda: seen(Vae(), mean="fc_mu"),
    ),
    "a pair that is no module and function": Suggestion(
        'write mean=("<module>", lambda s: …)',
        lambda: attach(Vae(), mean=("fc_mu", "tanh"), **QUIET),
        lambda: seen(Vae(), mean=("fc_mu", lambda s: s.tanh())),
    ),
    "a module beside a callable": Suggestion(
        'or logvar=("<module>", lambda s: …) for a function of what a module gives',
        lambda: attach(Vae(), mean="fc_mu", logvar=lambda out: out, **QUIET),
        lambda: (
            seen(Vae(), mean="fc_mu", logvar=("fc_logvar", lambda s: s)),
            seen(Vae(), mean="fc_mu", logvar="fc_logvar"),
            seen(Other(), latent="code", mean=lambda out: out[:, :4], logvar=lambda out: out[:, 4:]),
        ),
    ),
    "one module for both": Suggestion(
        "use latent='code' if it gives both",
        lambda: attach(Other(), mean="code", logvar="code", **QUIET),
        lambda: seen(Other(), latent="code"),
    ),
    "modules of two widths": Suggestion(
        "pass the module that gives the logvar of 'fc_mu'",
        lambda: attach(Vae(), mean="fc_mu", logvar="body", **QUIET),
        lambda: seen(Vae(), mean="fc_mu", logvar="fc_logvar"),
    ),
    "latent= beside a spread": Suggestion(
        "pass mean= too, both callables on the output of 'code'",
        lambda: attach(Other(), latent="code", logvar=lambda out: out[:, 4:], **QUIET),
        lambda: seen(Other(), latent="code", mean=lambda out: out[:, :4], logvar=lambda out: out[:, 4:]),
    ),
    "latent= beside a name": Suggestion(
        "write mean=lambda out: …",
        lambda: attach(Other(), latent="code", mean="narrow", **QUIET),
        lambda: seen(Other(), latent="code", mean=lambda out: out[:, :4]),
    ),
    "latent= of a mean": Suggestion(
        'pass mean="<module>" and logvar=, var=, std= or logstd="<module>"',
        lambda: attach(Vae(), latent="fc_mu", **QUIET),
        lambda: seen(Vae(), mean="fc_mu", logvar="fc_logvar"),
    ),
    "latent= of a width without halves": Suggestion(
        "pass mean='narrow' if it gives the mean alone",
        lambda: attach(Other(), latent="narrow", **QUIET),
        lambda: seen(Other(), mean="narrow"),
    ),
    "an output of fields": Suggestion(
        "write latent=…, mean=lambda out: …, and logvar=, var=, std= or logstd=lambda out: …",
        lambda: watching(Other(named), latent="last"),
        lambda: seen(Other(named), latent="last", mean=lambda out: out["a"], logvar=lambda out: out["b"]),
    ),
    "an output of three": Suggestion(
        "expected (mean, log-variance) of one shape and no third such tensor",
        lambda: watching(Other(triple), latent="last"),
        lambda: seen(Other(triple), latent="last", mean=lambda out: out[0], logvar=lambda out: out[1]),
    ),
    "an output of two as the mean": Suggestion(
        "pass latent= if it carries both",
        lambda: watching(Other(pair), mean="last"),
        lambda: seen(Other(pair), latent="last"),
    ),
    "names that say nothing": Suggestion(
        'attach(model, mean="<module>", logvar="<module>")   # two modules',
        lambda: attach(nn.Sequential(nn.Identity()), **QUIET),
        lambda: seen(Vae(), mean="fc_mu", logvar="fc_logvar"),
    ),
    "a module as prior": Suggestion(
        "return its output from the forward and pass prior=lambda out: …",
        lambda: attach(Other(), latent="code", prior=nn.Linear(2, 2), **QUIET),
        lambda: seen(
            Other(lambda out: (out, out * 0, out * 0 + 1)),
            **{"mean": lambda out: out[0], "logvar": lambda out: out[1], "prior": lambda out: (out[1], out[2])},
        ),
    ),
    "a prior of two modules": Suggestion(
        "attach(model, mean=lambda out: …, logvar=lambda out: …, prior=lambda out: (prior_mean, prior_var))",
        lambda: attach(Vae(), mean="fc_mu", logvar="fc_logvar", prior=lambda out: (out, out), **QUIET),
        lambda: (
            seen(
                Other(lambda out: (out, out * 0, out * 0 + 1)),
                **{"mean": lambda out: out[0], "logvar": lambda out: out[1], "prior": lambda out: (out[1], out[2])},
            ),
            observed([{"logvar": ROWS, "prior": PRIOR}]),
        ),
    ),
    "a scripted model": Suggestion(
        "attach before torch.jit.script, and script inside `with monitor.detached():`, or pass the latents to",
        lambda: attach(torch.jit.script(nn.Sequential(nn.Linear(12, 4))), **QUIET),  # type: ignore[arg-type]
        lambda: scripted(Vae()),
    ),
    "a monitor that watches a model": Suggestion(
        "make another one for another model or latent",
        lambda: watching(Vae(), mean="fc_mu").attach(Vae()),
        lambda: (seen(Vae(), mean="fc_mu"), seen(Vae(), mean="fc_mu")),
    ),
    "two intervals": Suggestion(
        "leave out one of the two",
        lambda: PolarMonitor(sinks=(), every=5, log_every=10),
        lambda: (PolarMonitor(sinks=(), every=5), PolarMonitor(sinks=(), log_every=10)),
    ),
    "a folder of another monitor": Suggestion(
        "call detach() of that monitor first, or pass another name=… or another folder",
        lambda: two_in_a_folder(None, detach=False),
        lambda: (two_in_a_folder("other", detach=False), two_in_a_folder("other", detach=True)),
    ),
    "rows with a prior and others without": Suggestion(
        "use one monitor for raw rows and another for standardised ones",
        lambda: observed([{"logvar": ROWS, "prior": PRIOR}, {"logvar": ROWS}]),
        lambda: (observed([{"logvar": ROWS, "prior": PRIOR}] * 2), observed([{"logvar": ROWS}] * 2)),
    ),
    "two priors": Suggestion(
        "pass one, here or to the monitor",
        lambda: observed([{"logvar": ROWS, "prior": PRIOR}], prior=(np.zeros(3), np.ones(3))),
        lambda: (
            observed([{"logvar": ROWS, "prior": PRIOR}]),
            observed([{"logvar": ROWS}], prior=(np.zeros(3), np.ones(3))),
        ),
    ),
    "a batch of another forward": Suggestion(
        "pass what the training loop passes to the model",
        lambda: part_evaluated(False),
        lambda: (part_evaluated(True), polar_monitor.classify(ROWS)),
    ),
    "a number without its name": Suggestion(
        "write monitor.log(baseline=…, beta=…)",
        lambda: PolarMonitor(**QUIET).log(0.5),  # type: ignore[misc]
        lambda: loop({"baseline": 1.0, "beta": 0.5}),
    ),
    "rows without a mean": Suggestion(
        "write monitor.observe(mean, …)",
        lambda: PolarMonitor(**QUIET).observe(logvar=ROWS),  # type: ignore[call-arg]
        lambda: observed([{"logvar": ROWS}]),
    ),
}


class Part(Vae):
    """A model whose forward may leave the encoder out."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x) if len(x) > 100 else (x, x, x)


def part_evaluated(complete: bool) -> None:
    MODELS.append(model := Part())
    attach(model, mean="fc_mu", logvar="fc_logvar", **QUIET).evaluate(X if complete else X[:64])


def scripted(model: nn.Module) -> None:
    monitor = attach(model, mean="fc_mu", logvar="fc_logvar", **QUIET)
    with monitor.detached():
        torch.jit.script(model.fc_mu)
    train(model, 10, batch=128)
    assert monitor.snapshot() is not None
    observed([{"logvar": ROWS}])


@pytest.mark.parametrize("suggestion", SUGGESTIONS.values(), ids=list(SUGGESTIONS))
def test_doing_what_a_message_says_ends_it(suggestion: Suggestion, caplog: pytest.LogCaptureFixture) -> None:
    follow(suggestion, caplog)
