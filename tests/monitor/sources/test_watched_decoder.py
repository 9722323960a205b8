"""The decoder of a watched code: it gives the scale, and the training does not notice."""

from __future__ import annotations

import contextlib
import copy
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import polar_monitor
from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.errors import PolarMonitorError, PolarMonitorWarning
from polar_monitor.monitor.sources import watched_decoder
from polar_monitor.statistics.stream import LatentStream

EVERY = 50
"""Steps between the evaluations of a ramp."""
MIN_EFFECT = 1e-4
"""Effect below which a decoder ignores its code."""
DECODERS = {
    "spectral norm": lambda: nn.Sequential(
        spectral_norm(nn.Linear(6, 32)), nn.ReLU(), spectral_norm(nn.Linear(32, 12))
    ),
    "batch norm": lambda: nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 12)),
    "dropout": lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 12)),
    "weight norm": lambda: nn.Sequential(weight_norm(nn.Linear(6, 32)), nn.ReLU(), weight_norm(nn.Linear(32, 12))),
    "plain": lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 12)),
}


class Autoencoder(nn.Module):
    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 6))
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Fails(nn.Module):
    """A decoder that refuses eval mode."""

    def forward(self, code: Tensor) -> Tensor:
        assert self.training
        return code


def data(rows: int = 64) -> Tensor:
    return torch.randn(rows, 3) @ torch.linspace(-1, 1, 36).reshape(3, 12) + 0.05 * torch.randn(rows, 12)


def train(model: nn.Module, steps: int, run: nn.Module | None = None) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        x = data()
        loss = ((run or model)(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def watched(model: nn.Module, **arguments: Any) -> polar_monitor.PolarMonitor:
    settings = {"sinks": (), "strict": True, "every": 3, "max_overhead": 1.0, **arguments}
    return polar_monitor.attach(model, **settings)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")
def test_the_training_is_the_same_to_the_last_bit(kind: str, compiles: bool) -> None:
    if compiles and kind not in ("plain", "batch norm"):
        pytest.skip("compiled with two decoders only: it takes seconds")
    torch.manual_seed(0)
    plain = Autoencoder(DECODERS[kind]())
    model = copy.deepcopy(plain)
    states = []
    for one in (plain, model):
        torch.manual_seed(1)
        monitor = watched(one, decoder="decoder", mean="encoder") if one is model else None
        if compiles:
            torch._dynamo.reset()
            one.decoder.compile(backend="eager")  # type: ignore[union-attr]
        train(one, 40)
        if compiles:
            torch._dynamo.reset()  # the search of later tests asks whether such a class has run compiled
        states.append((one.state_dict(), torch.get_rng_state()))
    assert monitor is not None
    assert np.isfinite(monitor.snapshot().gain).all()  # type: ignore[union-attr]
    (expected, random), (found, after) = states
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert torch.equal(random, after)
    assert all(module.training for module in model.modules())


def test_the_decoder_is_found_by_what_the_forwards_show() -> None:
    torch.manual_seed(0)
    model = Autoencoder(DECODERS["plain"]())
    monitor = watched(model)
    train(model, 60)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert "scale from the decoder 'decoder'" in monitor.explain()
    codes = model.encoder(data(256))
    gain = polar_monitor.decoder_gain(model.decoder, codes)
    np.testing.assert_allclose(snapshot.gain, gain, rtol=0.5)
    assert snapshot.effect > 0.1


@pytest.mark.parametrize("given", [False, True])
def test_only_a_decoder_that_is_given_is_measured_on_a_device(given: bool) -> None:
    """The device is "meta", whose tensors have no numbers: a decoder that is measured there fails."""
    model = Autoencoder(DECODERS["plain"]())
    stream = LatentStream(6, has_variance=False)
    stream.update(np.random.default_rng(0).normal(size=(512, 6)).astype(np.float32), None)
    decoder = watched_decoder.WatchedDecoder("decoder", model, given=given)
    model.to("meta")
    with pytest.warns(PolarMonitorWarning, match="values") if given else contextlib.nullcontext():
        assert decoder.scale(stream, PairedRingBuffer(512, paired=False)).gain is None
    said = "the decoder 'decoder' is on meta, and to measure it the training has to wait for the device"
    assert (said in decoder.text) == (not given)
    assert ("attach(model, decoder='decoder') does so" in decoder.text) == (not given)


@pytest.mark.filterwarnings("ignore::polar_monitor.PolarMonitorWarning")
@pytest.mark.parametrize("arguments", [{"resolution": 0.1}, {"decoder": "encoder"}])
def test_what_the_user_gives_is_taken(arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = Autoencoder(DECODERS["plain"]())
    monitor = watched(model, mean="encoder", **arguments)
    train(model, 30)
    assert np.isnan(monitor.snapshot().gain).all()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("decoder", "match"),
    [
        (lambda z: (z, z), "choose the reconstruction"),
        (lambda z, u: z + u, "needs more than the code"),
        (lambda z: z.argmax(1), "autoregressive"),
        (lambda z: z / 0, "finite"),
        (Fails(), "failed in eval mode"),
    ],
)
def test_a_decoder_that_cannot_be_called_is_named_once_and_the_rest_goes_on(decoder: Any, match: str) -> None:
    torch.manual_seed(0)
    model = Autoencoder(DECODERS["plain"]())
    monitor = watched(model, mean="encoder", decoder=decoder)
    with pytest.warns(PolarMonitorWarning, match=match) as caught:
        train(model, 60)
    assert len(caught) == 1
    assert match in monitor.explain()
    assert monitor.health().errors == 0
    assert monitor.regime().count("active") > 0  # type: ignore[union-attr]


def test_arguments_are_errors_at_once() -> None:
    model = Autoencoder(DECODERS["plain"]())
    for arguments, match in (
        ({"decoder": "decode"}, "'encoder', 'decoder'"),
        ({"decoder": 3}, "callable"),
        ({"decoder": "decoder", "resolution": 0.1}, "beside decoder="),
    ):
        with pytest.raises(PolarMonitorError, match=match):
            watched(model, **arguments)


def test_a_resumed_run_has_the_scale() -> None:
    torch.manual_seed(0)
    model = Autoencoder(DECODERS["plain"]())
    monitor = watched(model)
    train(model, 60)
    state = monitor.state_dict()
    other = watched(Autoencoder(DECODERS["plain"]()))
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.snapshot().gain, monitor.snapshot().gain)  # type: ignore[union-attr]
    stream, loaded = monitor._loop.pipelines["train"].stream, other._loop.pipelines["train"].stream
    assert stream is not None and loaded is not None
    assert str(stream.scale) == str(loaded.scale)


def test_a_model_is_released_with_its_monitor() -> None:
    import gc
    import weakref

    model = Autoencoder(DECODERS["plain"]())
    watched(model, decoder=model.decoder, mean="encoder")
    train(model, 12)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_the_movement_of_the_weights_is_a_number_of_its_own() -> None:
    for spread in ({}, {"var": torch.full((64, 2), 0.1)}):
        torch.manual_seed(0)
        monitor = polar_monitor.PolarMonitor(sinks=(), every=1, max_overhead=1.0, strict=True)
        for step in range(40):
            monitor.observe(torch.randn(64, 2) * torch.tensor([1.0, 0.1]) + step * torch.tensor([0.0, 0.2]), **spread)
            monitor.step()
        monitor.evaluate()
        snapshot = monitor.snapshot()
        assert snapshot is not None
        np.testing.assert_allclose(snapshot.drift, [0.0, 0.2 * np.arange(40).std()], atol=0.1)
        assert snapshot.variance[1] == pytest.approx(5.3 if spread else 0.01, rel=0.3)
        assert "moved its mean" in monitor.explain(1)
        assert "moved its mean" not in monitor.explain(0)


class LeastVolume(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        layers = [spectral_norm(nn.Linear(*sizes)) for sizes in ((10, 64), (64, 64), (64, 20))]
        self.decoder = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])

    def forward(self, x: Tensor) -> Tensor:
        self.code = self.encoder(x)
        output: Tensor = self.decoder(self.code)
        return output


class Ramp(NamedTuple):
    monitor: polar_monitor.PolarMonitor
    collapsed: int
    """The first evaluated step at which swapping the codes changes the output by less than the cut."""


def ramp(seed: int, steps: int = 2600, by_hand: bool = False, log: bool = False, **arguments: Any) -> Ramp:
    """Train with a penalty that grows; `by_hand`: the codes are observed, so that no decoder is known."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    data = torch.tanh(0.5 * torch.randn(5000, 4, generator=generator) @ torch.randn(4, 20, generator=generator))
    model, variance = LeastVolume(), float(data.var(0).mean())
    settings = {"sinks": (), "strict": True, "max_overhead": 1.0, "every": EVERY, **arguments}
    monitor = polar_monitor.PolarMonitor(**settings) if by_hand else polar_monitor.attach(model, **settings)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    collapsed = -1
    for step in range(1, steps + 1):
        weight = 0.01 * 300 ** min(max((step - 600) / 1400, 0.0), 1.0)
        x = data[torch.randint(5000, (128,), generator=generator)]
        error = (model(x) - x).square().mean()
        loss = error + weight * (model.code.std(0) + 1).log().mean().exp()
        optimizer.zero_grad()
        loss.backward()
        if log:
            monitor.log(reconstruction=error, baseline=variance)
        if by_hand:
            monitor.observe(model.code)
        optimizer.step()
        if by_hand:
            monitor.step()
        if step % EVERY == 0 and collapsed < 0 and step > 600 and _effect(model, data[:512]) < MIN_EFFECT * variance:
            collapsed = step
    return Ramp(monitor, collapsed)


def _effect(model: LeastVolume, x: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        code = model.encoder(x)
        effect = 0.5 * (model.decoder(code) - model.decoder(code.roll(1, 0))).square().mean()
    model.train()
    return float(effect)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_a_total_collapse_of_a_least_volume_code_is_announced_as_one(seed: int) -> None:
    monitor, collapsed = ramp(seed)
    kinds = [(alert.kind, alert.step) for alert in monitor.alerts]
    assert collapsed > 0
    steps = [step for kind, step in kinds if kind == "collapse"]
    assert len(steps) == 1
    assert abs(steps[0] - collapsed) <= 2 * EVERY
    assert not [step for kind, step in kinds if kind == "revived"]


@pytest.mark.slow
def test_without_a_decoder_the_verdict_says_that_the_code_has_shrunk() -> None:
    monitor, _ = ramp(2, by_hand=True)
    regime = monitor.regime()
    assert regime is not None
    assert regime.has_shrunk
    assert any("has shrunk to 1/" in reason for reason in regime.reasons)
    assert not [alert for alert in monitor.alerts if alert.kind == "revived" and alert.step > 1500]


@pytest.mark.slow
def test_without_a_decoder_the_loss_says_that_the_code_explains_nothing() -> None:
    monitor, collapsed = ramp(2, by_hand=True, log=True)
    steps = [alert.step for alert in monitor.alerts if alert.kind == "collapse"]
    assert [abs(step - collapsed) <= 2 * EVERY for step in steps] == [True]
    assert any("explains nothing" in reason for reason in monitor.regime().reasons)  # type: ignore[union-attr]
