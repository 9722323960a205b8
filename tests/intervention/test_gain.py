"""Gains of decoders: exact where the truth is known, and the same labels whatever the scale of a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor.errors import PolarMonitorError

RNG = np.random.default_rng(0)


def linear(dimensions: int, outputs: int = 400) -> tuple[nn.Linear, Any]:
    torch.manual_seed(0)
    layer = nn.Linear(dimensions, outputs)
    return layer, layer.weight.detach().double().square().sum(0).sqrt().numpy()


@pytest.mark.parametrize(("dimensions", "error"), [(5, 1e-5), (32, 1e-5), (33, 0.12), (200, 0.12)])
def test_the_gain_of_a_linear_decoder_is_the_norm_of_its_columns(dimensions: int, error: float) -> None:
    layer, norms = linear(dimensions)
    gain = polar_monitor.decoder_gain(layer, RNG.normal(size=(100, dimensions)))
    np.testing.assert_allclose(gain, norms, rtol=error)
    assert all(weight.grad is None for weight in layer.parameters())


def test_it_needs_as_many_calls_as_it_says() -> None:
    calls = []
    layer, _ = linear(40)
    polar_monitor.decoder_gain(lambda z: calls.append(len(z)) or layer(z), RNG.normal(size=(100, 40)))
    assert calls == [32]
    calls.clear()
    polar_monitor.decoder_gain(
        lambda z: calls.append(len(z)) or layer(z[:, :1] * torch.ones(40)), RNG.normal(size=(100, 6))
    )
    assert calls == [32] * 7


def test_a_decoder_without_a_gradient_is_swapped() -> None:
    layer, norms = linear(40)
    gain = polar_monitor.decoder_gain(lambda z: layer(z).detach(), RNG.normal(size=(100, 40)))
    np.testing.assert_allclose(gain, norms, rtol=1e-5)


@pytest.mark.parametrize("dimensions", [3, 40])
def test_a_constant_dimension_has_no_gain(dimensions: int) -> None:
    layer, _ = linear(dimensions)
    codes = RNG.normal(size=(50, dimensions))
    codes[:, 1] = 2.0
    gain = polar_monitor.decoder_gain(layer, codes)
    assert gain[1] == 0
    assert (np.delete(gain, 1) > 0).all()


def test_bad_arguments_are_errors() -> None:
    layer, _ = linear(3)
    for code, match in ((np.zeros((4, 3)), "8 inputs or more"), (np.zeros(64), r"\(n, D\)")):
        with pytest.raises(PolarMonitorError, match=match):
            polar_monitor.decoder_gain(layer, code)
    with pytest.raises(PolarMonitorError, match="finite"):
        polar_monitor.decoder_gain(lambda z: layer(z) / 0, RNG.normal(size=(64, 3)))


def decoder() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 30))
    with torch.no_grad():
        network[0].weight[:, 4:] *= 1e-3
    return network


@pytest.mark.parametrize("seed", range(4))
def test_labels_do_not_depend_on_a_scale_that_the_decoder_undoes(seed: int) -> None:
    network, rng = decoder(), np.random.default_rng(seed)
    codes, scale = rng.normal(size=(2000, 8)), 10 ** rng.uniform(-2, 2, 8)
    plain = polar_monitor.classify(codes, decoder=network)
    scaled = polar_monitor.classify(codes * scale, decoder=lambda z: network(z / torch.from_numpy(scale).to(z)))
    assert [str(label) for label in plain.labels] == ["active"] * 4 + ["passive"] * 4
    assert scaled.labels == plain.labels
    np.testing.assert_allclose(scaled.snapshot.information, plain.snapshot.information, atol=1e-3)  # type: ignore[union-attr]
    gains = polar_monitor.decoder_gain(network, codes)
    assert polar_monitor.classify(codes, gain=gains).labels == plain.labels
    assert "where the decoder's gain is" in plain.explain(0)


def test_one_wide_dimension_among_dead_ones() -> None:
    regime = polar_monitor.classify(RNG.normal(size=(4096, 10)) * np.r_[2.0, np.full(9, 1e-3)])
    assert [str(label) for label in regime.labels] == ["active"] + ["passive"] * 9
    assert regime.verdict == "polarised"


def test_a_code_that_the_decoder_ignores_is_collapsed() -> None:
    network, codes = decoder(), RNG.normal(size=(2000, 8))
    regime = polar_monitor.classify(codes, decoder=lambda z: network(1e-4 * z))
    assert regime.verdict == "collapsed"
    assert any("the decoder ignores the code" in reason for reason in regime.reasons)
    assert (regime.snapshot.information == 0).all()  # type: ignore[union-attr]
    assert "does not react" in regime.explain(0)


def test_an_effect_near_the_cut_is_undecided() -> None:
    codes, bias = RNG.normal(size=(2000, 2)), torch.linspace(-1, 1, 50) * 100
    strength = float((bias.var() * 1e-4) ** 0.5)
    regime = polar_monitor.classify(codes, decoder=lambda z: bias + strength * z[:, :1])
    assert regime.count("undecided") == 2
    assert any("not sure" in reason for reason in regime.reasons)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"gain": [1.0, 1.0]}, r"shape \(3,\)"),
        ({"gain": [1.0, -1.0, 1.0]}, "0 or more"),
        ({"gain": "large"}, "gain: expected numbers"),
        ({"gain": 1.0, "resolution": 0.1}, "leave out one"),
        ({"gain": 1.0, "decoder": nn.Linear(3, 2)}, "leave out one"),
        ({"decoder": nn.Linear(3, 2), "var": np.ones((600, 3))}, "leave out one"),
        ({"decoder": nn.Linear(4, 2)}, "takes 4 numbers, and the code has 3"),
        ({"decoder": lambda z: (z, z)}, "choose the reconstruction"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(PolarMonitorError, match=match):
        polar_monitor.classify(np.random.default_rng(0).normal(size=(600, 3)), **arguments)


LAYOUTS = {"ndhw": (0, 1, 2, 3), "nhwd": (0, 2, 3, 1), "hnwd": (2, 0, 3, 1)}
"""Axes of (n, C, H, W) in the order of a layout."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [5, 40])
def test_the_gain_of_a_channel_is_that_of_all_its_places(channels: int, layout: str) -> None:
    """A decoder that multiplies each place of a channel by the same number, and adds a map that is no input's."""
    order, scale = LAYOUTS[layout], np.geomspace(0.01, 10, channels)
    back = tuple(np.argsort(order))

    def decode(z: Tensor) -> Tensor:
        maps = z.permute(back) * torch.from_numpy(scale).to(z)[:, None, None] + torch.arange(12.0).reshape(3, 4)
        return maps if layout != "hnwd" else maps.permute(order)

    codes = RNG.normal(size=(64, channels, 3, 4)) + 7 * RNG.normal(size=(1, channels, 3, 4))
    codes[:, 1] = codes[:1, 1]  # a map that is the same for all inputs
    gain = polar_monitor.decoder_gain(decode, np.transpose(codes, order).astype(np.float32), layout=layout)
    expected = scale * np.sqrt(12)  # all places move by their mean square
    assert gain[1] == 0
    np.testing.assert_allclose(np.delete(gain, 1), np.delete(expected, 1), rtol=1e-3 if channels == 5 else 0.15)


def test_channels_of_maps_and_features_of_sequences_are_labelled_by_what_the_decoder_does() -> None:
    scale, strength = torch.tensor([100.0, 1.0, 1.0, 1.0]), torch.tensor([0.01, 1.0, 0.0, 0.001])
    maps = torch.randn(600, 4, 3, 3, generator=torch.Generator().manual_seed(0)) * scale[:, None, None]
    labels = ["active", "active", "passive", "passive"]
    by_channel = polar_monitor.classify(maps, decoder=lambda z: z * strength[:, None, None])
    assert [str(label) for label in by_channel.labels] == labels
    tokens = maps.flatten(2).transpose(1, 2)
    assert polar_monitor.classify(tokens, decoder=lambda z: z * strength).labels == by_channel.labels
    steps_first = polar_monitor.classify(tokens.transpose(0, 1), decoder=lambda z: z * strength, layout="tnd")
    assert steps_first.labels == by_channel.labels
    ignored = polar_monitor.classify(maps, decoder=lambda z: torch.ones(len(z), 7) + 0 * z.mean())
    assert ignored.verdict == "collapsed"


def test_maps_that_a_decoder_cannot_take_are_one_error() -> None:
    maps = np.random.default_rng(0).normal(size=(300, 3, 4, 4))

    def decode(z: Tensor) -> Tensor:
        return z

    for code, arguments, match in (
        (iter([maps]), {}, "one array of maps or sequences, got chunks"),
        (maps, {"mask": np.ones((300, 4, 4), bool)}, "without mask="),
        (maps, {"layout": "nd"}, "expected 2 axes"),
    ):
        with pytest.raises(PolarMonitorError, match=match):
            polar_monitor.classify(code, decoder=decode, **arguments)
    for code, layout in ((np.zeros((4, 3, 2)), None), (np.zeros((16, 3, 2)), "nd")):
        with pytest.raises(PolarMonitorError, match=r"inputs or more|expected 2 axes"):
            polar_monitor.decoder_gain(decode, code, layout=layout)


def test_the_variance_of_the_data_decides_whether_the_code_is_ignored() -> None:
    """All outputs are near one number, so that their own variance over inputs and numbers is small."""
    codes, bias = RNG.normal(size=(2000, 2)), torch.zeros(50)
    decode = lambda z: bias + 1e-3 * z[:, :1]  # noqa: E731
    assert polar_monitor.classify(codes, decoder=decode).count("active") == 1
    regime = polar_monitor.classify(codes, decoder=decode, data_variance=1.0)
    assert regime.verdict == "collapsed"
    assert regime.snapshot is not None
    assert regime.snapshot.effect == pytest.approx(1e-6, rel=0.2)
    for arguments, match in (
        ({"decoder": decode, "data_variance": 0.0}, "a number above 0"),
        ({"decoder": decode, "data_variance": "x"}, "a number above 0"),
        ({"data_variance": 1.0}, "beside decoder="),
    ):
        with pytest.raises(PolarMonitorError, match=match):
            polar_monitor.classify(codes, **arguments)
