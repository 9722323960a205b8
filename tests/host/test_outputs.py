"""Outputs of any precision and structure are read, in float32, and summed in float64."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from models import Vae
from torch import Tensor, nn
from watching import watched

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_is_summed_in_high_precision(dtype: torch.dtype) -> None:
    """The sum of squares of these is infinite in float16."""
    model = nn.Sequential(nn.Linear(1, 1))
    nn.init.ones_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    monitor = watched(model, mean="0", every=1)
    x = 300 + torch.randn(4096, 1, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype):
        output = model(x)
    assert output.dtype is dtype
    torch.optim.SGD(model.parameters(), 0.0).step()
    exact = output.detach().double().var(correction=0).item()
    assert monitor.snapshot().variance[0] == pytest.approx(exact, rel=0.01)  # type: ignore[union-attr]


def test_the_precision_may_change_from_call_to_call() -> None:
    model = Vae()
    monitor = watched(model, every=4)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    for enabled in (True, False, True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            model(X)
        optimizer.step()
    assert monitor.health().rows_seen == 4 * 64


@dataclass
class Fields:
    mean: Tensor
    logvar: Tensor


Named = namedtuple("Named", ["mu", "std"])


STRUCTURES = {
    "tuple": lambda m, s: (m, s),
    "list": lambda m, s: [m, s],
    "dict": lambda m, s: {"mean": m, "logvar": s},
    "dataclass": Fields,
    "named tuple": lambda m, s: Named(m, (0.5 * s).exp()),
    "halves": lambda m, s: torch.cat([m, s], 1),
    "Normal": lambda m, s: torch.distributions.Normal(m, (0.5 * s).exp()),
    "Independent": lambda m, s: torch.distributions.Independent(torch.distributions.Normal(m, (0.5 * s).exp()), 1),
    "Normal and sample": lambda m, s: (torch.distributions.Normal(m, (0.5 * s).exp()), m),
}


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_an_output_of_any_usual_structure_is_read(structure: Any) -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(12, 4), nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Any:
            return structure(self.a(x), self.b(x))

    encoder = Encoder()
    model = nn.ModuleDict({"encoder": encoder})
    monitor = watched(model, latent="encoder", every=1)
    encoder(X)
    torch.optim.SGD(encoder.parameters(), 0.0).step()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    with torch.no_grad():
        mean, variance = encoder.a(X).double().numpy(), encoder.b(X).double().exp().numpy()
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=1e-5)
