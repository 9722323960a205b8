"""The demo's data sets: what they promise about shapes, spectra, factors and seeds, and that nothing is downloaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seeded import assert_seeded

from polar_monitor.demo import data

DRAWN: dict[str, Callable[[int, int], tuple[Any, ...]]] = {
    "sprites": lambda n, seed: data.sprites(n, seed),
    "conditional": lambda n, seed: data.conditional(n, 0.5, seed),
    "auxiliary": lambda n, seed: data.auxiliary(n, seed=seed),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(name: str) -> None:
    assert_seeded(DRAWN[name])


def test_auxiliary_sources_depend_on_the_segment_and_are_independent_given_it() -> None:
    found = data.auxiliary(40_000, sources=2, segments=4, seed=1)
    assert found.u.shape == (40_000, 4)
    assert (found.u.sum(1) == 1).all()
    segment = found.u.argmax(1).numpy()
    inside = [found.sources[segment == k] for k in range(4)]
    means, deviations = (np.stack([getattr(s, of)(0) for s in inside]) for of in ("mean", "std"))
    assert np.ptp(means, axis=0).min() > 0.3
    assert (deviations.max(0) / deviations.min(0)).min() > 1.2
    assert 0.15 < deviations.min() < deviations.max() < 1.25
    assert max(abs(np.corrcoef(s.T)[0, 1]) for s in inside) < 0.05
    other = data.auxiliary(40_000, sources=2, segments=4, seed=2)
    theirs = other.sources[other.u.argmax(1).numpy() == 0]
    np.testing.assert_allclose(theirs.mean(0), means[0], atol=0.05)


def test_auxiliary_mixing_is_the_same_for_every_seed_and_loses_nothing() -> None:
    one, other = (data.auxiliary(20_000, sources=2, inputs=6, noise=0.0, seed=seed) for seed in (1, 2))
    assert one.x.std(0).numpy() == pytest.approx(1.0, abs=0.1)
    # the observation of the nearest sources of another seed is near: the map is one, and continuous
    distance = ((one.sources[:200, None] - other.sources[None]) ** 2).sum(2)
    near = distance.argmin(1)
    gap = (one.x[:200] - other.x[near]).norm(dim=1).numpy()
    slope = gap / np.sqrt(distance[np.arange(200), near])
    assert np.median(gap) < 0.05
    # and its inverse is, too: no two distant sources look alike
    assert 0.1 < slope.min() < slope.max() < 10
    noisy = data.auxiliary(20_000, sources=2, inputs=6, noise=0.5, seed=1)
    assert float((noisy.x - one.x).std()) == pytest.approx(0.5, rel=0.2)


def test_digits_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    images, labels = data.digits()
    assert images.shape == (1797, 64)
    assert set(labels[:, 0]) == set(range(10))


def test_sprites_have_their_factors() -> None:
    images, factors = data.sprites(600, seed=3)
    assert images.shape == (600, 1024)
    assert factors.shape == (600, 5)
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    again, _ = data.sprites(600, seed=3)
    assert (images == again).all()
    # the centre of mass is where the factors say
    grid = (images.reshape(600, 32, 32) / images.sum(1)[:, None, None]).numpy()
    axis = (0.5 + np.arange(32)) / 16 - 1
    square = factors[:, 0] == 0
    assert abs((grid.sum(1) @ axis - factors[:, 3])[square]).max() < 0.02
    assert abs((grid.sum(2) @ axis - factors[:, 4])[square]).max() < 0.02


def test_the_conditional_factor_is_there_for_its_share_only() -> None:
    images, factors = data.conditional(4000, share=0.3)
    there = factors[:, 1] == 1
    assert there.mean() == pytest.approx(0.3, abs=0.03)
    assert (factors[~there, 2] == 0).all()
    right = images.reshape(4000, 16, 16)[:, :, 9:].numpy()
    assert np.ptp(right[~there], axis=0).max() == 0
    assert np.ptp(right[there], axis=0).max() > 0.9


def test_digits_without_scikit_learn_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        data.digits()
