"""Data sets of the studies: shapes, spectra, factors and seeds, and that nothing is downloaded."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seeded import assert_seeded

from bench import zoo

DRAWN: dict[str, Callable[[int, int], tuple[Any, ...]]] = {
    "linear_gaussian": lambda n, seed: zoo.linear_gaussian(n, (4.0, 1.0), seed),
    "patches": lambda n, seed: zoo.patches(n, seed=seed),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(name: str) -> None:
    assert_seeded(DRAWN[name])


def test_linear_gaussian_has_its_spectrum_along_its_coordinates() -> None:
    eigenvalues = (9.0, 4.0, 1.0, 0.25)
    x, coordinates = zoo.linear_gaussian(50_000, eigenvalues, seed=3)
    rows = x.numpy().astype(np.float64)
    found = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(found, eigenvalues, rtol=0.03)
    axes = np.linalg.lstsq(coordinates, rows, rcond=None)[0]
    np.testing.assert_allclose(axes @ axes.T, np.diag(eigenvalues), atol=1e-5)
    other = zoo.linear_gaussian(100, eigenvalues, seed=4)
    np.testing.assert_allclose(other[1] @ axes, other[0].numpy(), atol=1e-5)


def test_patches_are_centred_scaled_and_smooth() -> None:
    x, factors = zoo.patches(6000, side=6, seed=1)
    assert x.shape == (6000, 36)
    assert x.mean(1).abs().max() < 1e-5
    assert float(x.var(correction=0)) == pytest.approx(1.0, abs=1e-5)
    assert set(factors[:, 0]) == {0.0, 1.0}
    np.testing.assert_allclose(factors[:, 1], np.log(x.numpy().std(1) + 1e-3), atol=1e-4)
    pixels = x.reshape(-1, 6, 6).numpy()
    beside, far = (np.corrcoef(pixels[:, :, :-k].ravel(), pixels[:, :, k:].ravel())[0, 1] for k in (1, 3))
    assert beside > 0.3 > far


def test_patches_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(zoo.patches(10)[0]) == 10


@pytest.mark.parametrize("missing", ["sklearn.datasets", "PIL"])
def test_patches_without_what_reads_them_name_the_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match="pip install scikit-learn pillow"):
        zoo.patches(10)
