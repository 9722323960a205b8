"""Latents of every layout, through hooks, by hand and offline: the dimensions are the dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from watching import stepped, watched

from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning, classify

SIZES = {"n": 64, "d": 3, "t": 10, "h": 4, "w": 5}
LETTERS = ["nd", "dn", "ntd", "ndt", "tnd", "ndhw", "nhwd", "tndh", "nthwd", "ndthw", "dtn"]
SCALES = torch.tensor([1.0, 0.01, 2.0])
"""Scale of each dimension: the second is passive."""


def latent(letters: str, seed: int = 0, **sizes: int) -> torch.Tensor:
    """Means of an active, a passive and an active dimension; the variance is 0.1 and 1."""
    sizes = SIZES | sizes
    draw = torch.randn([sizes[letter] for letter in letters], generator=torch.Generator().manual_seed(seed))
    return draw * SCALES.reshape([-1 if letter == "d" else 1 for letter in letters])


def variance(mean: torch.Tensor, letters: str) -> torch.Tensor:
    values = torch.tensor([0.1, 1.0, 0.1]).reshape([-1 if letter == "d" else 1 for letter in letters])
    return values.expand(mean.shape)


EXPECTED = ["active", "passive", "active"]


@pytest.mark.parametrize("letters", LETTERS)
def test_the_same_latent_in_every_layout(letters: str) -> None:
    monitor = PolarMonitor(sinks=(), every=16, max_overhead=1.0, strict=True, layout=letters)
    means = [latent(letters, seed) for seed in range(16)]
    for mean in means:
        monitor.observe(mean, var=variance(mean, letters))
        monitor.step()
    regime = monitor.regime()
    assert regime is not None
    assert [str(label) for label in regime.labels] == EXPECTED
    shape = tuple(means[0].shape)
    words = " × ".join({"n": "inputs", "d": "dimensions"}.get(letter, "places") for letter in letters)
    if letters != "nd":
        assert f"D = 3 from {shape}: {words}" in monitor.explain()
    mean = torch.cat(means, letters.index("n"))
    offline = classify(mean, var=variance(mean, letters), layout=letters)
    assert offline.labels == regime.labels
    assert offline.snapshot is not None and monitor.snapshot() is not None
    assert offline.snapshot.independent == monitor.snapshot().independent == 1024


class Turned(nn.Module):
    """A linear head whose output is turned round, as (n, D, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turned: torch.Tensor = self.linear(x).transpose(1, 2)
        return turned


class Recurrent(nn.Module):
    """PyTorch's default: (T, n, D)."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc_mu = nn.GRU(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mu: torch.Tensor = self.fc_mu(self.rnn(x)[0])
        return mu


class Own(nn.Module):
    """A convolution in a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.mu = nn.ModuleDict({"body": nn.Conv1d(8, 3, 1)})
        self.mu.forward = lambda x: self.mu["body"](x)  # type: ignore[method-assign]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mu: torch.Tensor = self.mu(x)
        return mu


@pytest.mark.parametrize(
    ("model", "mean", "inputs", "said"),
    [
        (nn.ModuleDict({"mu": Turned()}), "mu", (16, 40, 8), "D = 3 from (16, 3, 40): inputs × dimensions × places"),
        (Recurrent(), "fc_mu", (40, 16, 8), "D = 3 from (40, 16, 3): places × inputs × dimensions"),
        (Own(), "mu", (16, 8, 40), "D = 3 from (16, 3, 40): inputs × dimensions × places"),
    ],
    ids=["a transposed head", "steps first", "a convolution inside"],
)
def test_through_hooks_without_a_word(model: nn.Module, mean: str, inputs: tuple[int, ...], said: str) -> None:
    monitor = watched(model, mean=mean, every=2)
    forward = model if not isinstance(model, nn.ModuleDict) else model["mu"]
    stepped(model, 4, lambda step: forward(torch.randn(inputs)))
    assert said in monitor.explain()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.independent) == (3, 64)


def test_a_size_that_varies_later_begins_again_with_one_warning() -> None:
    model = nn.ModuleDict({"mu": nn.Identity(), "layer": nn.Linear(1, 1)})
    monitor = watched(model, mean="mu", every=2)
    stepped(model, 4, lambda step: model["mu"](torch.randn(16, 3, 40)))
    assert "D = 40 from (16, 3, 40)" in monitor.explain()
    with pytest.warns(PolarMonitorWarning, match="a size that varies is no number of dimensions: D = 3 from"):
        stepped(model, 4, lambda step: model["mu"](torch.randn(16, 3, 20 + step)))
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.dimensions == 3
    assert monitor.health().errors == 0


@pytest.mark.parametrize("layout", ["nhw", 3, "ntdd"])
def test_a_bad_layout_is_refused_everywhere(layout: Any) -> None:
    x = torch.randn(8, 5, 3)
    said = r'layout: expected .* got .*: write layout="nd"'
    with pytest.raises(PolarMonitorError, match=said):
        PolarMonitor(sinks=(), layout=layout)
    with pytest.raises(PolarMonitorError, match=said):
        PolarMonitor(sinks=()).observe(x, layout=layout)
    with pytest.raises(PolarMonitorError, match=said):
        classify(x, layout=layout)
    with pytest.raises(PolarMonitorError, match="layout: expected 4 axes, as in 'ndhw', got 3"):
        classify(x, layout="ndhw")
    with pytest.raises(PolarMonitorError, match="layout: expected 4 axes, as in 'ndhw', got 3"):
        PolarMonitor(sinks=()).observe(x, layout="ndhw")


def test_log_standard_deviations_everywhere() -> None:
    mean = latent("nd", n=2048)
    logstd = 0.5 * variance(mean, "nd").log()
    monitor = PolarMonitor(sinks=(), every=1, max_overhead=1.0, strict=True)
    monitor.observe(mean, logstd=logstd)
    monitor.step()
    regime, offline = monitor.regime(), classify(mean, logstd=logstd)
    assert regime is not None
    assert [str(label) for label in regime.labels] == [str(label) for label in offline.labels] == EXPECTED
    np.testing.assert_allclose(offline.snapshot.kl, classify(mean, logvar=2 * logstd).snapshot.kl, rtol=1e-4)  # type: ignore[union-attr]
    model = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.Linear(8, 2)})
    assert "logstd from 'b'" in watched(model, mean="a", logstd="b").explain()


@pytest.mark.parametrize("unit", ["var", "std"])
def test_a_negative_spread_is_a_wrong_unit_and_not_a_nan(unit: str) -> None:
    """The values are logarithms: one warning with the line to write, nothing recorded, no reason to stop."""
    model = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.Linear(8, 2)})
    with pytest.warns(PolarMonitorWarning, match=f"'b' was read as {unit}, but .* pass it as logvar= if .* as logstd="):
        monitor = watched(model, mean="a", every=2, **{unit: "b"})
        stepped(model, 30, lambda step: [module(torch.randn(32, 8)) for module in model.values()])
    assert monitor.snapshot() is None
    assert not monitor.should_stop
    assert {str(alert.kind) for alert in monitor.alerts} <= {"silent"}
    assert (monitor.health().rows_seen, monitor.health().rows_dropped) == (0, 960)


class Small(nn.Module):
    """A VAE of sequences in the layout of a linear layer, or of a convolution."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        layer: Any = nn.Linear if layout == "ntd" else lambda a, b: nn.Conv1d(a, b, 1)
        self.encoder, self.mu, self.logvar, self.decoder = layer(4, 8), layer(8, 3), layer(8, 3), layer(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        h = self.encoder(x).tanh()
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        loss: torch.Tensor = (self.decoder(z) - x).square().mean() + 0.01 * (mu**2 + logvar.exp() - logvar).mean()
        return loss


def train_small(layout: str, backend: str | None, monitored: bool) -> tuple[torch.Tensor, ...]:
    """Train at a size of the batch and a length that change in every call."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = Small(layout)
    monitor = watched(model, every=5) if monitored else None
    forward: Any = model if backend is None else torch.compile(model, backend=backend, dynamic=True)
    optimizer, generator = torch.optim.Adam(model.parameters(), 1e-2), torch.Generator().manual_seed(1)
    for _ in range(10):
        n, t = (int(torch.randint(2, 12, (), generator=generator)) for _ in range(2))
        loss = forward(torch.randn((n, t, 4) if layout == "ntd" else (n, 4, t), generator=generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if monitor is not None:
        monitor.evaluate()
        health, snapshot = monitor.health(), monitor.snapshot()
        assert snapshot is not None
        assert (snapshot.dimensions, health.errors, health.rows_dropped) == (3, 0, 0)
        words = "inputs × places × dimensions" if layout == "ntd" else "inputs × dimensions × places"
        assert words in monitor.explain() and "D = 3" in monitor.explain()
    return *(parameter.detach().clone() for parameter in model.parameters()), torch.get_rng_state()


@pytest.mark.parametrize(("layout", "backend"), [("ntd", None), ("ndt", None), ("ndt", "aot_eager")])
def test_training_is_the_same_at_any_length_eager_and_compiled(layout: str, backend: str | None) -> None:
    pairs = zip(train_small(layout, backend, True), train_small(layout, backend, False), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    torch._dynamo.reset()
