"""Forwards in which more happens than encoding, one sample and decoding: priors of pseudo-inputs, labels, simplices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evidence_runs import D, H, N, Net, Toy, X, mlp, noise, rows, run
from torch import Tensor, nn
from watching import watched

from polar_monitor.discovery.evidence.latents import best_of
from polar_monitor.discovery.evidence.views import Sizes, views_of

PSEUDO = 50


class MixturePrior(Toy):
    """A VAE whose prior is a mixture over the posteriors of pseudo-inputs, which lie far away from the data."""

    def __init__(self) -> None:
        super().__init__()
        self.pseudo = nn.Parameter(torch.randn(PSEUDO, X) + 5)

    def forward(self, x: Tensor) -> Any:
        mean, logvar = self.heads(x)
        z = noise(mean, (logvar / 2).exp())
        prior_mean, _ = self.heads(self.pseudo)
        return self.dec(z), torch.cdist(z, prior_mean)


def again(model: Any, x: Tensor, m: Tensor, s: Tensor) -> Any:
    first = model.dec(noise(m, (s / 2).exp()))
    m, s = model.heads(x.flip(0))
    return first, model.dec(noise(m, (s / 2).exp()))


def test_calls_on_pseudo_inputs_give_no_sample() -> None:
    (reading,) = run(MixturePrior(), rows(64, X), 40).readings
    assert (reading.mean.module, reading.first_call_only) == ("mu", True)


def test_a_sample_of_every_call_keeps_them_all() -> None:
    (reading,) = run(Toy(again), rows(64, X), 40).readings
    assert (reading.mean.module, reading.first_call_only) == ("mu", False)


def test_a_cycle_that_encodes_its_own_output() -> None:
    def cycle(model: Any, x: Tensor, m: Tensor, s: Tensor) -> Any:
        output = model.dec(noise(m, (s / 2).exp()))
        return output, *model.heads(output)

    (reading,) = run(Toy(cycle), rows(64, X), 40).readings
    assert reading.first_call_only


def test_rows_of_pseudo_inputs_are_left_out() -> None:
    torch.manual_seed(0)
    model = MixturePrior()
    with torch.no_grad():
        model.pseudo.fill_(3.0)
        away = model.heads(model.pseudo)[0][0]
    monitor = watched(model, max_overhead=1.0)
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)
    for _ in range(60):
        optimizer.zero_grad()
        sum(output.square().mean() for output in model(torch.randn(64, X))).backward()
        optimizer.step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert "later calls of a forward are left out" in monitor.explain()
    with torch.no_grad():
        expected = model.heads(torch.randn(4096, X))[0].mean(0)
    distance = torch.as_tensor(snapshot.mean) - expected
    assert distance.norm() < 0.1 * (away - expected).norm()
    monitor.detach()


def test_the_latent_that_is_decoded_comes_before_one_for_a_label() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        m, s = model.low.heads(x)
        z = noise(m, (s / 2).exp())
        output = model.low.dec(z)
        several = z.repeat(3, 1)  # once for each label
        m2, s2 = model.high.heads(several)
        return output, model.back(noise(m2, (s2 / 2).exp()))

    high = Toy()
    high.body[0] = mlp(D, H)
    model = Net(forward, low=Toy(), high=high, back=mlp(D, D))
    readings = run(model, rows(64, X), 40, latents=2).readings
    assert {reading.mean.module for reading in readings} == {"low.mu", "high.mu"}
    assert best_of(readings).mean.module == "low.mu"


def test_a_sample_on_a_simplex() -> None:
    model = Net(
        lambda s, x: s.dec(s.simplex(noise(s.mu(x), (s.lv(x) / 2).exp()))),
        mu=nn.Linear(X, D), lv=nn.Linear(X, D), simplex=nn.Softmax(-1), dec=mlp(D, X),
    )  # fmt: skip
    assert run(model, rows(128, X), 40).names == [("'mu'", "'lv'", "log σ²")]


@pytest.mark.parametrize("shape", [(), (N,), (N, 1)])
def test_inputs_without_columns_have_few_views(shape: tuple[int, ...]) -> None:
    sizes = Sizes({1, N}, {shape}, {(N, 1)}, set(), set())
    assert [view.kind for view in views_of(shape, False, sizes)] == [""]


def test_a_module_that_takes_a_vector() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        h = torch.cat([x, model.clock(x[:, 0])[:, None]], 1)
        return model.dec(noise(model.mu(h), (model.lv(h) / 2).exp()))

    clock = Net(lambda s, t: t.sin())
    model = Net(forward, clock=clock, mu=nn.Linear(X + 1, D), lv=nn.Linear(X + 1, D), dec=mlp(D, X))
    assert run(model, rows(128, X), 40).names == [("'mu'", "'lv'", "log σ²")]
