"""Which calls of a latent's modules are recorded: those that a sample is drawn from; and readings that come late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from searched import Choice, Named, X, hooks, steps, watched
from torch import Tensor, nn

SHIFT = 3.0


def drawn(mean: Tensor, std: Tensor) -> Tensor:
    return mean + std * torch.randn_like(mean)


class Process(Named):
    """A neural process: its heads see a context, then the target, whose posterior is drawn from at each place."""

    def __init__(self, again: Callable[[Process, Tensor], object]) -> None:
        super().__init__()
        self.again = again
        self.out = nn.Linear(6 + 1, X)
        with torch.no_grad():
            self.fc_mu.weight.mul_(3), self.fc_logvar.weight.mul_(3)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.fc_mu(h), (self.fc_logvar(h) / 2).exp()

    def forward(self, x: Tensor) -> Tensor:
        context = self.again(self, x)
        assert context is not None
        self.given = mean, std = self.heads(x)
        z = drawn(mean, std)[:, None].expand(-1, 5, -1)
        return self.out(torch.cat([z, torch.linspace(0, 1, 5)[None, :, None].expand(len(x), -1, 1)], -1))[:, 0]


CALLS: dict[str, Callable[[Process, Tensor], object]] = {
    "both heads": lambda model, x: model.heads(x * SHIFT),
    "the mean alone": lambda model, x: model.fc_mu(model.body(x * SHIFT)),
    "the mean alone, more rows": lambda model, x: model.fc_mu(model.body(x.repeat(3, 1) * SHIFT)),
}


@pytest.mark.parametrize("again", CALLS)
def test_calls_of_which_no_sample_is_drawn_are_not_recorded(again: str) -> None:
    torch.manual_seed(0)
    model = Process(CALLS[again])
    monitor = watched(model)
    assert steps(model, 40) == []
    assert "number 2 is recorded: no sample of the others is drawn" in monitor.explain()
    mean, std = (part.detach() for part in model.given or ())
    expected = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean(0)
    assert monitor.snapshot().kl == pytest.approx(expected.numpy(), abs=0.12)  # type: ignore[union-attr]
    assert monitor.health().rows_dropped == 0


def test_where_the_model_is_not_called_rows_of_other_calls_are_pointed_out_once() -> None:
    torch.manual_seed(0)
    model = Process(CALLS["both heads"])
    monitor = watched(model)
    told = steps(model, 40, model.forward)
    assert [text for text in told if "no sample is drawn from some of the calls" in text] == told
    assert len(told) == 1
    monitor.detach()


def test_a_reading_that_moves_late_is_found_after_the_first_warning() -> None:
    torch.manual_seed(0)
    model = Choice()
    with torch.no_grad():
        for head in (model.first, model.second):
            head.weight.zero_(), head.bias.zero_()
            head.requires_grad_(False)
    monitor = watched(model)
    told = steps(model, 60)
    assert len(told) == 1
    assert "the first 50 steps did not show a latent for certain" in told[0]
    assert monitor.regime() is None
    with torch.no_grad():
        nn.init.normal_(model.first.weight, std=0.5)
        nn.init.normal_(model.second.weight, std=0.3)
    steps(model, 400)
    assert "mean from 'first', log σ² from 'second': what enters 'out'" in monitor.explain()
    assert monitor.snapshot() is not None


class Softmaxed(Named):
    """σ is a softmax over the dimensions times D, a form that is not tried."""

    def __init__(self) -> None:
        super().__init__(scale=lambda s: 6 * (4 * s).softmax(-1) + 0.01)
        with torch.no_grad():
            self.fc_mu.weight.mul_(10), self.fc_logvar.weight.mul_(5)


def test_a_sample_that_the_names_do_not_explain_is_one_warning() -> None:
    torch.manual_seed(0)
    model = Softmaxed()
    monitor = watched(model)
    told = steps(model, 120)
    assert len(told) == 1
    assert "the latent does not fit the data (mean from 'fc_mu', log σ² from 'fc_logvar'" in told[0]
    assert 'std=("fc_logvar", lambda out: …)) with what the forward makes of them' in told[0]
    assert "not confirmed so far: what enters 'out' is near its mean" in monitor.explain()
    assert hooks(model) == 3
