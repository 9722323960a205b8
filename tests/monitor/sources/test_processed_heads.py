"""Heads that the model processes further: right, or one warning with a line that is right when it is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from searched import Choice, Named, X, hooks, steps, watched
from torch import Tensor
from torch.nn import functional

import polar_monitor
from polar_monitor import PolarMonitorError


class Processed(Named):
    """Its forward gives the reconstruction alone, so that no module shows what the heads become."""

    def __init__(self, mean: Callable[[Tensor], Tensor], scale: Callable[[Tensor], Tensor]) -> None:
        super().__init__(scale=scale)
        self.processed = mean
        with torch.no_grad():
            self.fc_mu.weight.mul_(8), self.fc_logvar.weight.mul_(6)
        for part in (self.body, self.fc_mu, self.fc_logvar):
            part.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        mean, std = self.processed(self.fc_mu(h)), self.scale(self.fc_logvar(h))
        self.given = mean.detach(), std.detach()
        return self.out(mean + std * torch.randn_like(mean))


def half(s: Tensor) -> Tensor:
    return (s / 2).exp()


def same(m: Tensor) -> Tensor:
    return m


CASES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], str]] = {
    "bounded mean": (lambda m: 3 * m.tanh(), half, 'mean=("fc_mu", lambda out: 3 * out.tanh()), logvar="fc_logvar"'),
    "clamped": (
        same, lambda s: half(s.clamp(-2.5, 2)),
        'mean="fc_mu", logvar=("fc_logvar", lambda out: out.clamp(-2.5, 2))',
    ),
    "floor": (
        same, lambda s: functional.softplus(s) + 0.05,
        'mean="fc_mu", std=("fc_logvar", lambda out: (torch.nn.functional.softplus(out)) + 0.05)',
    ),
    "softmax": (
        same, lambda s: 6 * s.softmax(-1) + 1e-6,
        'mean="fc_mu", std=("fc_logvar", lambda out: out.shape[-1] * out.softmax(-1))',
    ),
}  # fmt: skip


def assert_right(monitor: Any, model: Choice) -> None:
    """The KL is that of the mean and σ that the forward uses, over many inputs."""
    snapshot = monitor.snapshot()
    assert snapshot is not None
    sides: list[tuple[Tensor, Tensor]] = []
    for _ in range(60):
        model(torch.randn(128, X))
        assert model.given is not None
        sides.append(model.given)
    mean, std = (torch.cat(side) for side in zip(*sides, strict=True))
    expected = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log())
    assert snapshot.kl == pytest.approx(expected.mean(0).numpy(), rel=0.1, abs=0.02)


@pytest.mark.parametrize("case", CASES)
def test_the_line_of_the_warning_is_right_when_it_is_written(case: str) -> None:
    mean, scale, line = CASES[case]
    torch.manual_seed(0)
    model = Processed(mean, scale)
    monitor = watched(model)
    told = steps(model, 160)
    assert len(told) == 1
    assert "the latent does not fit the data: what fits is" in told[0]
    written = re.findall(r"Write (attach\(.*\))$", told[0])
    assert written == [f"attach(model, {line})"]
    assert hooks(model) == 3
    monitor.detach()
    options: dict[str, Any] = {"sinks": (), "every": 5, "max_overhead": 1.0, "strict": True}

    def attach(model: Any, **arguments: Any) -> Any:
        return polar_monitor.attach(model, **arguments, **options)

    again = eval(written[0], {"attach": attach, "model": model, "torch": torch})
    assert steps(model, 60) == []
    assert "confirmed" in again.explain()
    assert_right(again, model)


def test_a_soft_clamp_and_a_floor_that_one_look_does_not_show_are_found_later() -> None:
    torch.manual_seed(0)
    model = Processed(lambda m: 5 * (m / 5).tanh(), lambda s: (5 * (s / 5).tanh()).exp() + 0.01)
    with torch.no_grad():
        model.fc_mu.weight.mul_(0.6), model.fc_logvar.weight.mul_(0.1), model.fc_logvar.bias.fill_(-1.0)
    monitor = watched(model, mean="fc_mu", logstd="fc_logvar")
    told = steps(model, 250)
    assert "confirmed" in monitor.explain()
    assert len(told) == 1
    assert "residuals that a little processing of the heads explains better" in told[0]
    assert 'mean=("fc_mu", lambda out: 5 * (out / 5).tanh())' in told[0]


def test_where_nothing_fits_the_line_is_one_to_fill_in() -> None:
    torch.manual_seed(0)
    model = Processed(lambda m: m + m.sin() * 2, lambda s: (s.sin() * 2).exp())
    told = [text for text in (watched(model), steps(model, 160))[1]]
    assert len(told) == 1
    assert 'mean=("fc_mu", lambda out: …), std=("fc_logvar", lambda out: …)) with what the forward makes' in told[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mean": ("fc_mu", "tanh"), "logvar": "fc_logvar"}, 'mean=("<module>", lambda s: …)'),
        ({"mean": ("fc_m", lambda s: s), "logvar": "fc_logvar"}, "the model has no module 'fc_m'"),
        ({"mean": "fc_mu", "logvar": ("fc_mu", lambda s: s)}, "are the same module 'fc_mu'"),
    ],
)
def test_a_pair_that_is_no_module_and_function_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=re.escape(said)):
        polar_monitor.attach(Named(), sinks=(), **arguments)


def test_two_functions_of_one_module() -> None:
    torch.manual_seed(0)
    model = Choice()
    model.second = model.first = torch.nn.Linear(32, 6)
    monitor = watched(model, mean=("first", lambda out: out), logvar=("first", lambda out: out))
    assert steps(model, 20) == []
    assert monitor.snapshot() is not None


FUNCTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "right": ({"mean": lambda out: out[1], "logvar": lambda out: out[2]}, ""),
    "right in another unit": ({"mean": lambda out: out[1], "std": lambda out: (out[2] / 2).exp()}, ""),
    "wrong unit": (
        {"mean": lambda out: out[1], "std": lambda out: out[2].exp()},
        'attach(model, mean="first", logvar=',
    ),
    "twice": ({"mean": lambda out: out[1], "logvar": lambda out: 2 * out[2]}, 'attach(model, mean="first", logvar='),
    "another mean": ({"mean": lambda out: 3 * out[1], "logvar": lambda out: out[2]}, 'mean="first", logvar='),
    "a part": ({"mean": lambda out: out[1][:, :2], "logvar": lambda out: out[2][:, :2]}, ""),
}


class Outputs(Choice):
    """It gives the tensors of its heads too."""

    def forward(self, x: Tensor) -> Any:
        h = self.body(x)
        mean, logvar = self.first(h), self.second(h)
        return self.out(mean + (logvar / 2).exp() * torch.randn_like(mean)), mean, logvar


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions_of_the_user_are_checked_like_names(case: str) -> None:
    arguments, said = FUNCTIONS[case]
    torch.manual_seed(0)
    model = Outputs()
    monitor = watched(model, **arguments)
    told = steps(model, 60, lambda x: model(x)[0])
    assert len(told) == bool(said)
    if said:
        assert "the arguments of attach() do not fit the data" in told[0]
        assert said in told[0]
    elif "right" in case:
        assert "as the arguments say; confirmed: what enters 'out'" in monitor.explain()
    assert monitor.snapshot() is not None
    monitor.detach()
    assert hooks(model) == 0
