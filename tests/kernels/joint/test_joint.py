"""The joint entropy against known ones, and what it says of rows that have none."""

import math

import numpy as np
import pytest

from polar_monitor.kernels.copula import GAUSSIAN
from polar_monitor.kernels.joint.joint import MAX_ROWS, MIN_ROWS, joint
from polar_monitor.kernels.knn_1d import entropy

N = 4000
RING = GAUSSIAN + math.log(0.1) + math.log(2 * math.pi) - 0.005
"""Entropy of a ring of radius R ~ N(1, 0.1²): h(R) + E log 2πR, and E log R = −0.1²/2 but for 10⁻⁴."""


def gaussian(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    return rng.standard_normal((d, N)), d * GAUSSIAN


def correlated(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    matrix = np.random.default_rng(d).standard_normal((d, d))
    return matrix @ rng.standard_normal((d, N)), d * GAUSSIAN + np.linalg.slogdet(matrix)[1]


def uniform(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    return rng.random((d, N)), 0.0


def laplace(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    matrix = np.random.default_rng(d).standard_normal((d, d))
    return matrix @ rng.laplace(size=(d, N)), d * (1 + math.log(2)) + np.linalg.slogdet(matrix)[1]


def passive(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    scale = np.where(np.arange(d) < d // 2, 1.0, 0.01)
    return scale[:, None] * rng.standard_normal((d, N)), d * GAUSSIAN + np.log(scale).sum()


def banana(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    x = rng.standard_normal((d, N))
    x[1] += x[0] ** 2  # keeps volumes
    return x, d * GAUSSIAN


def rings(d: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    angle, radius = rng.uniform(0, 2 * np.pi, (d // 2, N)), 1 + 0.1 * rng.standard_normal((d // 2, N))
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]), d // 2 * RING


@pytest.mark.parametrize("d", [2, 4, 10])
@pytest.mark.parametrize("law", [gaussian, correlated, uniform, laplace, passive, banana, rings])
def test_known_values(law, d):
    drawn = [law(d, np.random.default_rng(seed)) for seed in range(3)]
    found = [joint(x.astype(np.float32)) for x, _ in drawn]
    off = np.array([f.value - truth for f, (_, truth) in zip(found, drawn, strict=True)])
    assert abs(off.mean()) < 0.02 + 3 * math.hypot(*[f.error for f in found]) / 3
    for f in found:
        assert f.lower < f.value < f.upper
        assert f.value < f.bound + 3 * f.error


def test_rings_are_cut_into_pairs():
    x, _ = rings(10, np.random.default_rng(0))
    found = joint(x.astype(np.float32))
    assert found.coordinates == "given"
    assert found.blocks == tuple((j, j + 5) for j in range(5))


def test_elliptical_laws_are_made_gaussian():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, N)) / np.sqrt(rng.chisquare(4, N) / 4)
    assert joint(x.astype(np.float32)).coordinates == "radial"


def test_the_error_covers():
    found = [joint(laplace(3, np.random.default_rng(seed))[0][:, :1500].astype(np.float32)) for seed in range(60)]
    truth = laplace(3, np.random.default_rng(0))[1]
    assert 0.88 <= np.mean([abs(f.value - truth) <= 1.96 * f.error for f in found]) <= 1
    assert np.std([f.value for f in found]) == pytest.approx(np.mean([f.error for f in found]), rel=0.35)


def test_signs_that_depend_in_threes_alone_are_seen():
    x = np.random.default_rng(0).standard_normal((3, N))
    x[2] = np.abs(x[2]) * np.sign(x[0] * x[1])
    truth = 3 * GAUSSIAN - math.log(2)
    found = joint(x.astype(np.float32))
    assert found.value == pytest.approx(truth, abs=0.15)
    assert found.lower < truth < found.upper
    x = np.round(x * 64) / 64  # ties: no other coordinates
    found = joint(x.astype(np.float32), mantissa=7)
    assert found.beyond_pairs
    assert found.blocks == ((0,), (1,), (2,))


def test_linear_maps_add_their_volume():
    x, _ = laplace(4, np.random.default_rng(0))
    matrix = np.random.default_rng(1).standard_normal((4, 4))
    grown = joint((matrix @ x).astype(np.float32)).value - joint(x.astype(np.float32)).value
    assert grown == pytest.approx(np.linalg.slogdet(matrix)[1], abs=0.02)


def test_the_order_of_the_dimensions_changes_nothing():
    x = banana(5, np.random.default_rng(0))[0].astype(np.float32)
    assert joint(x[[3, 1, 4, 0, 2]]).value == pytest.approx(joint(x).value, abs=0.02)


def test_increasing_maps_change_the_marginals_alone():
    x = correlated(3, np.random.default_rng(0))[0].astype(np.float32)
    mapped = np.exp(x / 4)
    grown = entropy(mapped)[0].sum() - entropy(x)[0].sum()
    assert joint(mapped).value - joint(x).value == pytest.approx(grown, abs=0.05)


def test_functions_of_others_are_named_and_left_out():
    x = gaussian(3, np.random.default_rng(0))[0].astype(np.float32)
    with_copies = joint(np.concatenate([x, -2 * x[:1], np.exp(x[1:2])]))
    assert with_copies.functions == (3, 4)
    assert with_copies.value == joint(x).value
    assert with_copies.ties == pytest.approx((0,) * 5, abs=0.02)


def test_clusters_widen_the_error():
    x = np.repeat(gaussian(3, np.random.default_rng(0))[0][:, :500], 4, axis=1)
    x = (x + 0.02 * np.random.default_rng(1).standard_normal(x.shape)).astype(np.float32)
    assert joint(x, np.arange(2000) // 4).error > 1.5 * joint(x).error


def test_tied_rows_keep_their_coordinates():
    x = np.round(4 * correlated(3, np.random.default_rng(0))[0]).astype(np.float32)
    found = joint(x)
    assert min(found.ties) > 0.9
    assert found.coordinates == "given"
    assert found.rows == N, "rows of a lattice are equal by chance"


def test_outliers_and_scales_are_finite():
    x = gaussian(4, np.random.default_rng(0))[0].astype(np.float32)
    x[0, 5], x[1], x[2] = 1e30, x[1] * 1e-30, x[2] * 1e15
    found = joint(x)
    assert found.value == pytest.approx(4 * GAUSSIAN - 15 * math.log(10), abs=0.2)


def test_too_few_rows_are_nan():
    x = np.random.default_rng(0).standard_normal((6, 30)).astype(np.float32)
    assert math.isfinite(joint(x[:, :20]).value)
    assert math.isnan(joint(x[:, :19]).value)
    assert math.isfinite(joint(x[:1, :MIN_ROWS]).value)
    assert math.isnan(joint(x[:1, : MIN_ROWS - 1]).value)


def test_one_dimension_is_its_marginal():
    x = np.random.default_rng(0).standard_normal((1, 500)).astype(np.float32)
    found, (value, error, _) = joint(x), entropy(x)
    assert (found.value, found.error) == pytest.approx((value[0], error[0]))


def test_more_rows_than_the_limit_are_thinned_out_for_the_dependence():
    x = np.random.default_rng(0).standard_normal((2, MAX_ROWS + 5)).astype(np.float32)
    ids = np.arange(MAX_ROWS + 5) // 2
    assert joint(x, ids).value == pytest.approx(2 * GAUSSIAN, abs=0.04)
