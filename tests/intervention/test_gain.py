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
    for code, match in ((np.zeros((4, 3)), "8 inputs or more"), (np.zeros((64, 3, 2)), r"\(n, D\)")):
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
        ({"decoder": nn.Linear(4, 2)}, "failed in eval mode"),
        ({"decoder": lambda z: (z, z)}, "choose the reconstruction"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(PolarMonitorError, match=match):
        polar_monitor.classify(np.random.default_rng(0).normal(size=(600, 3)), **arguments)


def test_codes_with_places_are_refused() -> None:
    def decode(z: Tensor) -> Tensor:
        return z

    with pytest.raises(PolarMonitorError, match="places"):
        polar_monitor.classify(np.random.default_rng(0).normal(size=(300, 3, 4, 4)), decoder=decode)
