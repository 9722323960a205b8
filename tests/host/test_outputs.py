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
from watching import warned, watched

from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.capture.tap import Tap

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
    np.testing.assert_allclose(snapshot.mean, mean.mean(0), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(snapshot.posterior_variance, variance.mean(0), rtol=2e-5)


REFUSED = {
    "complex": (torch.zeros(8, 2, dtype=torch.complex64), 8),
    "sparse": (torch.eye(8).to_sparse(), 8),
    "no dimension": (torch.zeros(8, 0), 8),
    "one number": (torch.zeros(()), 0),
}


@pytest.mark.parametrize(("refused", "rows"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("side", ["mean", "both"])
def test_the_rows_of_a_mean_that_is_refused_are_counted(refused: Tensor, rows: int, side: str) -> None:
    ring = PairedRingBuffer(256, side == "both")
    tap = Tap({True: ring}, None, side, None)
    good = torch.zeros(8, 2)
    for output in (refused, good, refused):
        tap(nn.Identity(), (), (output, output) if side == "both" else output)
    (drain,) = ring.requests(0)
    assert len(drain.take().mean) == 8  # type: ignore[union-attr]
    assert (tap.errors, ring.refused, ring.lost) == (2, 2 * rows, 0)


class Local(Tensor):
    """What DTensor looks like from outside."""

    def to_local(self) -> Tensor:
        return self.as_subclass(Tensor)


def test_a_distributed_tensor_is_refused_with_what_to_write() -> None:
    for reader, errors in ((None, 1), (lambda out: out.to_local(), 0)):
        ring = PairedRingBuffer(256, False)
        tap = Tap({True: ring}, reader, "mean", None)
        tap(nn.Identity(), (), torch.zeros(8, 2).as_subclass(Local))
        assert (tap.errors, ring.pending_rows) == (errors, 8 * (1 - errors))
        assert tap.failure is None or "pass mean=lambda out: out.to_local()" in str(tap.failure)


def test_a_spread_that_is_refused_is_counted_once() -> None:
    """Its mean was taken, and is given up."""
    ring = PairedRingBuffer(256, True)
    Tap({True: ring}, None, "both", None)(nn.Identity(), (), (torch.zeros(8, 2), torch.zeros(8, 2) * 1j))
    assert ring.requests(0) == []
    assert (ring.refused, ring.lost) == (0, 8)


def test_a_reader_that_fails_at_every_second_forward_is_counted_by_the_batch() -> None:
    """The search calls it a second time in the forwards that it looks at."""
    model, step = Vae(), 0

    def mean(output: Any) -> Tensor:
        if step % 2 == 0:
            raise KeyError("even")
        return output[1]

    monitor = watched(model, mean=mean, logvar=lambda out: out[2], every=5, strict=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with warned():
        for step in range(20):  # noqa: B007  `mean` reads it
            model(X)
            optimizer.step()
    ring = monitor._loop.pipelines["train"].ring
    assert (monitor.health().rows_seen, ring.refused, ring.lost) == (640, 640, 0)
