"""Measurement of a watched decoder: of maps and sequences, and without a wait for the device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import polar_monitor
from polar_monitor.errors import PolarMonitorWarning
from polar_monitor.intervention import gate
from polar_monitor.intervention.decoder_call import DecoderCall
from polar_monitor.intervention.gate import Measuring

WAITING = {"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "_unique2", "item", "masked_select"}
"""Operations whose result the host has to know before it goes on."""


class ConvAutoencoder(nn.Module):
    """Four channels: the decoder multiplies the first by 100, and does not take the last two."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 4, 4))
        self.decoder = nn.Sequential(nn.ConvTranspose2d(4, 16, 4, 4), nn.BatchNorm2d(16), nn.Conv2d(16, 3, 1))
        with torch.no_grad():
            self.encoder[0].weight[0] *= 0.01
            self.encoder[0].bias[0] *= 0.01
            self.decoder[0].weight[0] *= 100.0
            self.decoder[0].weight[2:] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(self.encoder(x))
        return output


class TokenAutoencoder(nn.Module):
    """Codes (n, T, D), or (T, n, D), of which the decoder does not take the last two features."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(12, 4), nn.Linear(4, 12)
        with torch.no_grad():
            self.decoder.weight[:, 2:] = 0.0

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(self.encoder(x))
        return output


def train(model: nn.Module, batch: Callable[[], Tensor], steps: int, run: Any = None) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    for _ in range(steps):
        x = batch()
        loss = ((model if run is None else run)(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        for parameter in model.parameters():  # the dead ones stay dead
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()


def images(inputs: int = 32) -> Tensor:
    return torch.randn(inputs, 3, 16, 16)


def watched(model: nn.Module, **arguments: Any) -> polar_monitor.PolarMonitor:
    settings = {"sinks": (), "strict": True, "every": 5, "max_overhead": 1.0, **arguments}
    return polar_monitor.attach(model, **settings)


def labels(monitor: polar_monitor.PolarMonitor) -> list[str]:
    regime = monitor.regime()
    assert regime is not None
    return [str(label) for label in regime.labels]


def test_channels_of_a_convolutional_autoencoder_have_the_scale_of_its_decoder() -> None:
    torch.manual_seed(0)
    model = ConvAutoencoder()
    monitor = watched(model)
    train(model, images, 40)
    monitor.evaluate()
    assert "scale from the decoder 'decoder'" in monitor.explain()
    assert labels(monitor) == ["active", "active", "passive", "passive"]
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.effect > 0.01
    model.eval()
    gain = polar_monitor.decoder_gain(model.decoder, model.encoder(images(256)).detach())
    assert snapshot.gain[0] / snapshot.gain[1] == pytest.approx(gain[0] / gain[1], rel=0.2)
    assert (gain[2:] == 0).all()
    plain = watched(model.train(), resolution=1e-3)
    train(model, images, 40)
    plain.evaluate()
    assert labels(plain) != ["active", "active", "passive", "passive"]


@pytest.mark.parametrize("layout", ["ntd", "tnd"])
def test_features_of_sequences_have_it_too(layout: str) -> None:
    torch.manual_seed(0)
    model = TokenAutoencoder()
    monitor = watched(model, mean="encoder", decoder="decoder", layout=layout)
    shape = (32, 7, 12) if layout == "ntd" else (7, 32, 12)
    train(model, lambda: torch.randn(shape), 40)
    monitor.evaluate()
    assert labels(monitor) == ["active", "active", "passive", "passive"]


def test_the_training_on_maps_is_the_same_to_the_last_bit() -> None:
    torch.manual_seed(0)
    states, plain = [], ConvAutoencoder()
    model = copy.deepcopy(plain)
    for one in (plain, model):
        monitor = watched(one) if one is model else None
        torch.manual_seed(1)
        train(one, images, 40)
        states.append([*one.state_dict().values(), torch.get_rng_state()])
    assert monitor is not None
    assert np.isfinite(monitor.snapshot().gain).all()  # type: ignore[union-attr]
    assert all(torch.equal(expected, found) for expected, found in zip(*states, strict=True))


@pytest.mark.parametrize("uses", [False, True])
def test_a_probe_has_the_gate_of_a_loss_of_the_user(uses: bool) -> None:
    """The loss is of the first two numbers of the output, which the decoder may compute without the code."""
    torch.manual_seed(0)
    model = TokenAutoencoder()
    if not uses:
        with torch.no_grad():
            model.decoder.weight[:2] = 0.0
    monitor = watched(model, mean="encoder", decoder="decoder")
    train(model, lambda: torch.randn(64, 12), 40)
    monitor.evaluate()
    assert labels(monitor) == ["active", "active", "passive", "passive"]
    x = torch.randn(256, 12)
    worth = monitor.probe(x, loss=lambda out, batch: (out - batch)[:, :2].square().sum(1), unit="squared error")
    assert any("the decoder does not use the code" in sentence for sentence in worth.sentences()) is not uses
    assert ("the decoder does not use the code" in " ".join(monitor.summary().split())) is not uses


def test_small_batches_are_put_together() -> None:
    torch.manual_seed(0)
    model = ConvAutoencoder()
    monitor = watched(model, mean="encoder", decoder="decoder")
    train(model, lambda: images(3), 240)
    monitor.evaluate()
    assert labels(monitor) == ["active", "active", "passive", "passive"]


def test_maps_with_a_mask_are_named_once() -> None:
    torch.manual_seed(0)
    model = ConvAutoencoder()
    monitor = watched(model, mean="encoder", decoder="decoder", mask=lambda x: torch.ones(len(x), 4, 4))
    with pytest.warns(PolarMonitorWarning, match="got a mask") as caught:
        train(model, images, 40)
    assert len(caught) == 1
    assert "got a mask" in monitor.explain()
    assert labels(monitor).count("active") > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:The .grad attribute:UserWarning")
def test_maps_in_compiled_code_are_named_too() -> None:
    torch.manual_seed(0)
    model = ConvAutoencoder()
    monitor = watched(model, mean="encoder", decoder="decoder")
    run = torch.compile(model, backend="eager")
    with pytest.warns(PolarMonitorWarning, match="compiled forwards"):
        train(model, images, 40, run)
    torch._dynamo.reset()
    assert labels(monitor)


class Watching(TorchDispatchMode):
    """Notes the operations for which the host would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = operation.overloadpacket.__name__
        if name in WAITING:
            self.waited.append(name)
        return operation(*args, **(kwargs or {}))


class Expanded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(1).expand(5))
        self.register_buffer("calls", torch.zeros(()))
        self.layer = nn.Linear(5, 9)

    def forward(self, z: Tensor) -> Tensor:
        self.calls += 1
        output: Tensor = self.layer(z * self.scale)
        return output


NORMED = nn.Sequential(nn.Linear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 9))
DECODERS = {
    "swaps": (Expanded(), (64, 5), "nd"),
    "gradients": (NORMED, (64, 40), "nd"),
    "maps": (ConvAutoencoder().decoder, (16, 4, 4, 4), "ndhw"),
}


@pytest.mark.parametrize("kind", DECODERS)
def test_a_measurement_begins_without_a_wait_and_leaves_nothing_behind(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, shape, letters = DECODERS[kind]
    codes, call = torch.randn(shape), DecoderCall.of(decoder)
    state = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    versions = {name: tensor._version for name, tensor in decoder.named_buffers()}
    random = torch.get_rng_state()
    for name in ("cpu", "numpy", "item", "tolist", "__bool__", "__float__"):
        monkeypatch.setattr(Tensor, name, lambda *_, name=name: pytest.fail(f"waits in Tensor.{name}"))
    with Watching() as watching:
        measuring = Measuring(call, codes, letters)
    monkeypatch.undo()
    assert watching.waited == []
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(state[name], tensor) for name, tensor in decoder.state_dict().items())
    changed = {name for name, tensor in decoder.named_buffers() if tensor._version != versions[name]}
    assert changed == ({"calls"} if kind == "swaps" else set())
    assert measuring.ready()
    expected = polar_monitor.decoder_gain(decoder, codes)
    np.testing.assert_allclose(measuring.result().gain, expected, rtol=0.5)


def test_a_batch_norm_that_does_not_count_its_changes_is_put_back() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(3))
            self.register_buffer("variance", torch.ones(3))

        def forward(self, z: Tensor) -> Tensor:
            return nn.functional.batch_norm(z, self.mean, self.variance, training=True)  # in eval mode too

    decoder = Own()
    Measuring(DecoderCall.of(decoder), torch.randn(64, 3) + 5)
    assert (decoder.mean == 0).all()
    assert (decoder.variance == 1).all()


class Event:
    """Event of a copy that arrives when it is asked for the second time; nobody may wait for it before."""

    def __init__(self) -> None:
        self.asked = 0

    def query(self) -> bool:
        self.asked += 1
        return self.asked > 1

    def synchronize(self) -> None:
        assert self.asked > 1, "the training waits"


def test_a_measurement_that_has_not_arrived_is_read_by_a_later_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    events: list[Event] = []

    def to_hosts(tensors: list[Tensor]) -> tuple[list[Tensor], list[Event]]:
        events.append(Event())
        return tensors, events[-1:]

    monkeypatch.setattr(gate, "to_hosts", to_hosts)
    model, gains = ConvAutoencoder(), []

    class Sink:
        def write(self, evaluation: Any) -> None:
            gains.append(bool(np.isfinite(evaluation.snapshot.gain).all()))

        def flush(self) -> None: ...

        def close(self) -> None: ...

    monitor = watched(model, mean="encoder", decoder="decoder", sinks=[Sink()])
    train(model, images, 50)
    assert gains[0] is False
    assert gains[1:] == [True] * (len(gains) - 1)
    assert len(gains) >= 8
    assert 1 <= len(events) < len(gains)
    assert labels(monitor) == ["active", "active", "passive", "passive"]
