"""The demo's data sets: what they promise about shapes, spectra, factors and seeds, and that nothing is downloaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from polar_monitor.demo import data

DRAWN: dict[str, Callable[[int, int], tuple[Any, ...]]] = {
    "sprites": lambda n, seed: data.sprites(n, seed),
    "conditional": lambda n, seed: data.conditional(n, 0.5, seed),
    "linear_gaussian": lambda n, seed: data.linear_gaussian(n, (4.0, 1.0), seed),
    "auxiliary": lambda n, seed: data.auxiliary(n, seed=seed),
    "patches": lambda n, seed: data.patches(n, seed=seed),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(name: str) -> None:
    first, again, other = DRAWN[name](70, 1), DRAWN[name](70, 1), DRAWN[name](70, 2)
    x, *_, factors = first
    assert x.dtype == torch.float32
    assert factors.dtype == np.float64
    assert len(x) == len(factors) == 70
    assert torch.isfinite(x).all()
    assert all(bool((a == b).all()) for a, b in zip(first, again, strict=True))
    assert not torch.equal(x, other[0])


def test_linear_gaussian_has_its_spectrum_along_its_coordinates() -> None:
    eigenvalues = (9.0, 4.0, 1.0, 0.25)
    x, coordinates = data.linear_gaussian(50_000, eigenvalues, seed=3)
    rows = x.numpy().astype(np.float64)
    found = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(found, eigenvalues, rtol=0.03)
    axes = np.linalg.lstsq(coordinates, rows, rcond=None)[0]
    np.testing.assert_allclose(axes @ axes.T, np.diag(eigenvalues), atol=1e-5)
    other = data.linear_gaussian(100, eigenvalues, seed=4)
    np.testing.assert_allclose(other[1] @ axes, other[0].numpy(), atol=1e-5)


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


def test_patches_are_centred_scaled_and_smooth() -> None:
    x, factors = data.patches(6000, side=6, seed=1)
    assert x.shape == (6000, 36)
    assert x.mean(1).abs().max() < 1e-5
    assert float(x.var(correction=0)) == pytest.approx(1.0, abs=1e-5)
    assert set(factors[:, 0]) == {0.0, 1.0}
    np.testing.assert_allclose(factors[:, 1], np.log(x.numpy().std(1) + 1e-3), atol=1e-4)
    pixels = x.reshape(-1, 6, 6).numpy()
    beside, far = (np.corrcoef(pixels[:, :, :-k].ravel(), pixels[:, :, k:].ravel())[0, 1] for k in (1, 3))
    assert beside > 0.3 > far


def test_patches_and_digits_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(data.patches(10)[0]) == 10
    images, labels = data.digits()
    assert images.shape == (1797, 64)
    assert set(labels[:, 0]) == set(range(10))


@pytest.mark.parametrize("missing", ["sklearn.datasets", "PIL"])
def test_patches_without_what_reads_them_name_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"polar-monitor\[demo\]"):
        data.patches(10)
