"""Conditional priors: rows in units of the prior of each, live and offline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo as dynamo
from models import Vae
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend
from watching import warned, watched

import polar_monitor
from bench.zoo import train
from polar_monitor import Label, PolarMonitor, PolarMonitorError, classify
from polar_monitor.demo import data, models
from polar_monitor.discovery import conditional_prior
from polar_monitor.offline import standardise
from polar_monitor.statistics.snapshot import Snapshot

Rows = NDArray[np.float32]


def followed(n: int = 4096, seed: int = 0) -> tuple[Rows, Rows, Rows, Rows]:
    """Mean, variance, and the prior's: dimension 0 follows its own, 1 does not, 2 is at N(0, 1)."""
    draw = np.random.default_rng(seed)
    segment = draw.integers(0, 6, n)
    centre = np.stack([segment - 2.5, 0.5 * segment, np.zeros(n)], 1)
    width = np.stack([0.05 + 0.1 * segment, np.ones(n), np.ones(n)], 1)
    mean, variance = centre.copy(), width.copy()
    mean[:, 0] += 0.01 * np.sqrt(width[:, 0]) * draw.normal(size=n)
    mean[:, 1] += draw.normal(size=n)
    variance[:, 1] = 0.02
    return tuple(side.astype(np.float32) for side in (mean, variance, centre, width))  # type: ignore[return-value]


def test_a_dimension_that_follows_its_prior_is_passive_beyond_it() -> None:
    mean, variance, centre, width = followed()
    raw, beyond = classify(mean, var=variance), classify(mean, var=variance, prior=(centre, width))
    assert raw.labels[0] is not Label.PASSIVE
    assert [str(label) for label in raw.labels[1:]] == ["active", "passive"]
    assert [str(label) for label in beyond.labels] == ["passive", "active", "passive"]
    # KL(q ‖ p(z | u)) in closed form is what is left in units of the prior
    kl = 0.5 * ((mean - centre) ** 2 / width + variance / width - np.log(variance / width) - 1)
    np.testing.assert_allclose(beyond.snapshot.kl, kl.mean(0, dtype=np.float64), rtol=1e-4, atol=1e-6)  # type: ignore[union-attr]


def test_a_trained_ivae_has_as_many_dimensions_beyond_its_prior_as_there_are_sources() -> None:
    torch.manual_seed(1)
    x, u, _ = data.auxiliary(4096, sources=2)
    x = torch.cat([x, (u @ torch.linspace(-2, 2, 8)).repeat(4, 1).T], 1)  # what u decides alone
    model = models.IVae(20, 8, latents=4, hidden=32)
    train(model, x, u=u, weight=4.0, steps=600, rate=3e-3)
    with torch.no_grad():
        (mean, logvar), (centre, width) = model.encode(x, u), model.prior(u)
    raw, beyond = classify(mean, logvar=logvar), classify(mean, logvar=logvar, prior=(centre, width.exp()))
    assert (len(beyond.informative), beyond.count(Label.PASSIVE)) == (2, 2)
    assert set(beyond.informative) < set(raw.informative)


def slow(mean: Any, spread: Any, kind: str | None, centre: Any, width: Any) -> tuple[float, float]:
    """One number in units of its prior, from the definition."""
    if not (width > 0 and math.isfinite(width)):
        return math.nan, math.nan
    sigma = math.sqrt(width)
    to = {None: lambda s: 0.0, "logvar": math.exp, "var": float, "std": lambda s: s * s}[kind]
    back = {None: float, "logvar": math.log, "var": float, "std": math.sqrt}[kind]
    return (mean - centre) / sigma, back(to(spread) / width)


@pytest.mark.parametrize("kind", ["logvar", "var", "std", None])
def test_both_ways_agree_with_the_definition(kind: str | None) -> None:
    draw = np.random.default_rng(0)
    mean, centre = draw.normal(size=(2, 50, 3))
    spread, width = draw.uniform(0.1, 3, (2, 50, 3))
    width[:5, 0] = [0.0, -1.0, np.inf, np.nan, 1e-30]
    wide = [slow(*one) for one in zip(mean.flat, spread.flat, [kind] * 150, centre.flat, width.flat, strict=True)]
    expected = np.array(wide).reshape(50, 3, 2)
    given = None if kind is None else torch.from_numpy(spread)
    for moved, left in (
        conditional_prior.standardise(
            torch.from_numpy(mean), given, kind, (torch.from_numpy(centre), torch.from_numpy(width))
        ),
        standardise.standardised(mean, kind, None if kind is None else spread, [centre, width]),
    ):
        np.testing.assert_allclose(moved, expected[..., 0], rtol=1e-12)
        if left is not None:
            np.testing.assert_allclose(left, expected[..., 1], rtol=1e-9, atol=1e-12)


def last(monitor: PolarMonitor) -> Snapshot:
    snapshot = monitor.snapshot()
    assert snapshot is not None
    return snapshot


def assert_same(one: Snapshot, other: Snapshot) -> None:
    for name in ("information", "kl", "mean", "variance", "posterior_variance", "entropy_knn", "ties", "non_finite"):
        # the square roots of torch and NumPy may differ in the last bit
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("distribution", [False, True])
def test_observed_rows_are_those_of_classify(distribution: bool) -> None:
    mean, variance, centre, width = map(torch.from_numpy, followed())
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    prior: Any = (centre, width)
    if distribution:
        prior = torch.distributions.Independent(torch.distributions.Normal(centre, width.sqrt()), 1)
    monitor.observe(mean, var=variance, prior=prior)
    monitor.step()
    expected = classify(mean, var=variance, prior=prior)
    assert monitor.regime().labels == expected.labels  # type: ignore[union-attr]
    assert_same(last(monitor), expected.snapshot)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(600, 3), (600, 3, 2, 2), (600, 5, 3)])
def test_one_side_may_be_once_for_all_and_latents_spatial(shape: tuple[int, ...]) -> None:
    draw = torch.Generator().manual_seed(0)
    mean, width = torch.randn(shape, generator=draw), 0.5 + torch.rand(shape, generator=draw)
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    monitor.observe(mean, std=torch.full_like(mean, 0.2), prior=(0.5, width))
    monitor.step()
    expected = classify(mean, std=torch.full_like(mean, 0.2), prior=(0.5, width))
    assert_same(last(monitor), expected.snapshot)  # type: ignore[arg-type]
    chunks = classify(
        iter(mean.split(250)), std=iter(torch.full_like(mean, 0.2).split(250)), prior=(0.5, iter(width.split(250)))
    )
    assert_same(last(monitor), chunks.snapshot)  # type: ignore[arg-type]


class Encoder(nn.Module):
    """Mean, log-variance and the prior, as tensors or as a distribution; u is the first four inputs."""

    def __init__(self, distribution: bool) -> None:
        super().__init__()
        self.distribution = distribution
        self.fc_mu, self.fc_logvar, self.prior = nn.Linear(12, 3), nn.Linear(12, 3), nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Any:
        centre, width = self.prior(x[:, :4]).chunk(2, 1)
        if self.distribution:
            return self.fc_mu(x), self.fc_logvar(x), torch.distributions.Normal(centre, (0.5 * width).exp())
        return self.fc_mu(x), self.fc_logvar(x), (centre, width.exp())


class Conditional(nn.Module):
    """A small iVAE."""

    def __init__(self, distribution: bool = False) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(distribution), nn.Linear(3, 12)

    def forward(self, x: Tensor) -> Any:
        mean, logvar, prior = self.encoder(x)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar, prior


ARGUMENTS = {
    "latent": "encoder",
    "mean": lambda out: out[0],
    "logvar": lambda out: out[1],
    "prior": lambda out: out[2],
}


def trained(model: Conditional, forward: Any, steps: int = 20) -> list[Any]:
    """One step a batch; what the forwards gave."""
    draw, optimizer, seen = torch.Generator().manual_seed(1), torch.optim.SGD(model.parameters(), 0.01), []
    for _ in range(steps):
        x = torch.randn(32, 12, generator=draw)
        output, mean, logvar, prior = forward(x)
        centre, width = (prior.mean, prior.variance) if model.encoder.distribution else prior
        seen.append(tuple(side.detach().clone() for side in (mean, logvar, centre, width)))
        kl = 0.5 * ((mean - centre).square() / width + logvar.exp() / width - logvar + width.log() - 1)
        optimizer.zero_grad()
        ((output - x).square().sum(1) + kl.sum(1)).mean().backward()
        optimizer.step()
    return seen


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    dynamo.reset()
    dynamo.utils.counters.clear()
    yield
    dynamo.reset()


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("distribution", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_callable_standardises_what_training_sees_and_changes_nothing(distribution: bool, compiled: bool) -> None:
    weights = []
    for monitored in (False, True):
        dynamo.reset()
        torch.manual_seed(0)
        model = Conditional(distribution)
        monitor = watched(model, every=20, **ARGUMENTS) if monitored else None
        backend = CompileCounterWithBackend("eager")
        forward = torch.compile(model, backend=backend, fullgraph=not distribution) if compiled else model
        seen = trained(model, forward)
        weights.append([parameter.detach().clone() for parameter in model.parameters()])
        if compiled and not distribution:
            assert backend.frame_count == 1
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    assert monitor is not None
    mean, logvar, centre, width = (torch.cat(side) for side in zip(*seen, strict=True))
    expected = classify(mean, logvar=logvar, prior=(centre, width))
    assert monitor.health().rows_seen == 640
    assert monitor.regime().labels == expected.labels  # type: ignore[union-attr]
    for name in ("information", "kl", "mean", "entropy_knn"):
        np.testing.assert_allclose(getattr(last(monitor), name), getattr(expected.snapshot, name), rtol=1e-4, atol=1e-5)
    assert "standardised by the given prior" in monitor.explain()


def test_raw_and_standardised_side_by_side() -> None:
    torch.manual_seed(0)
    model = Conditional()
    beyond = watched(model, every=20, name="beyond", **ARGUMENTS)
    raw = watched(model, every=20, name="raw", **{**ARGUMENTS, "prior": None})
    seen = trained(model, model)
    mean, logvar, _, _ = (torch.cat(side) for side in zip(*seen, strict=True))
    assert_same(last(raw), classify(mean, logvar=logvar).snapshot)  # type: ignore[arg-type]
    assert not np.allclose(last(raw).kl, last(beyond).kl)


@pytest.mark.parametrize("width", [0.0, -1.0, math.inf, math.nan])
def test_a_prior_without_a_width_makes_rows_that_are_not_finite(width: float) -> None:
    mean, variance, centre, wide = followed(1024)
    wide[:10, 0] = width
    monitor = PolarMonitor(every=1, max_overhead=1.0, sinks=(), strict=True)
    monitor.observe(mean, var=variance, prior=(centre, wide))
    monitor.step()
    offline = classify(mean, var=variance, prior=(centre, wide))
    for snapshot in (last(monitor), offline.snapshot):
        assert snapshot is not None
        assert snapshot.non_finite.tolist() == [10, 0, 0]
        assert np.isfinite(snapshot.information).all()
    assert offline.labels[1:] == (Label.ACTIVE, Label.PASSIVE)


def test_half_precision_is_not_subtracted_in_half_precision() -> None:
    mean, centre = torch.full((600, 1), 8.03125).bfloat16(), torch.full((600, 1), 8.0).bfloat16()
    moved, _ = conditional_prior.standardise(mean, None, None, (centre, 1.0))
    assert moved.dtype is torch.float32
    assert torch.equal(moved, mean.float() - 8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prior": lambda out: out}, "(?s)'fc_mu' gives the mean alone: pass callables .*observe"),
        ({"mean": "fc_mu", "logvar": "fc_logvar", "prior": lambda out: out}, "the mean alone"),
        ({"prior": nn.Linear(2, 2)}, "got the module Linear"),
        ({"prior": (np.zeros((5, 4)), 1.0)}, "For a prior of each row pass a callable"),
    ],
)
def test_attach_refuses_a_prior_that_it_could_not_read(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        polar_monitor.attach(Vae(), sinks=(), **arguments)


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ((torch.zeros(2), 1.0), r"\(D,\) or the shape of mean \(600, 3\), got \(2,\)"),
        ((torch.zeros(600, 1), 1.0), r"got \(600, 1\)"),
        ((0.0, 1.0, 2.0), "got 3 values"),
        ("normal", "got str"),
        (torch.distributions.Categorical(torch.ones(3)), "Normal or Laplace"),
    ],
)
def test_observe_refuses_what_is_no_prior(prior: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        PolarMonitor(sinks=()).observe(torch.zeros(600, 3), var=torch.ones(600, 3), prior=prior)


def test_raw_and_standardised_rows_are_not_mixed(caplog: pytest.LogCaptureFixture) -> None:
    mean = torch.zeros(600, 3)
    monitor = PolarMonitor(sinks=())
    monitor.observe(mean, prior=(0.0, 2.0))
    monitor.observe(mean)  # the training has begun: nothing is raised any more
    assert "expected a prior of each row as before" in caplog.text
    with pytest.raises(PolarMonitorError, match="expected no prior= as before"):
        watched(Conditional(), **{**ARGUMENTS, "prior": None}).observe(mean, logvar=mean, prior=(0.0, 2.0))
    with pytest.raises(PolarMonitorError, match="a prior for all rows already"):
        PolarMonitor(sinks=(), prior=(0.0, 1.0)).observe(mean, prior=(0.0, 2.0))


def test_a_callable_that_fails_is_reported_and_training_goes_on() -> None:
    model = Conditional()
    monitor = watched(model, every=20, strict=False, **{**ARGUMENTS, "prior": lambda out: out[9]})
    with warned() as said:
        trained(model, model)
    assert any("IndexError" in line for line in said)
    assert monitor.health().errors == 20
    assert monitor.snapshot() is None
