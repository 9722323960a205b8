"""Forwards in which more happens than encoding, one sample and decoding: labels, simplices, vectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from evidence_runs import D, H, N, Net, Toy, X, mlp, noise, rows, run
from torch import Tensor, nn

from polar_monitor.discovery.evidence.latents import best_of
from polar_monitor.discovery.evidence.views import Sizes, views_of


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
