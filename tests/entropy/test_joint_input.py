"""The joint entropy of rows that are not what an estimator likes, and the accuracy that is promised."""

import importlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import joint as reference

from polar_monitor import entropy
from polar_monitor.kernels.copula import GAUSSIAN
from polar_monitor.kernels.joint.degenerate import first_of_their_kind

N = 4000


@pytest.fixture(scope="module")
def laws():
    """The laws of `bench/joint.py`."""
    return importlib.import_module("bench.joint")


@pytest.fixture
def z():
    return np.random.default_rng(0).normal(size=(N, 4))


def off(found, truth):
    return abs(found.value - truth) / found.standard_error


def test_a_sum_of_others_is_a_function(z):
    for kind in (np.float64, np.float32, torch.bfloat16):
        x = np.c_[z[:, :3], z[:, :3].sum(1)]
        x = x.astype(kind) if kind is not torch.bfloat16 else torch.tensor(x).to(kind)
        found = entropy.joint(x)
        assert found.functions == (3,)
        assert "functions" in found.flags
        assert off(found, 3 * GAUSSIAN) < 3


def test_codes_of_lower_rank_have_functions(z):
    rng = np.random.default_rng(1)
    assert entropy.joint(z[:, :2] @ rng.normal(size=(2, 5))).functions == (2, 3, 4)
    wide = rng.normal(size=(N, 10))
    assert entropy.joint(wide @ rng.normal(size=(10, 11))).functions == (10,)
    assert entropy.joint(np.exp(z) / np.exp(z).sum(1, keepdims=True)).functions == (3,)


@pytest.mark.parametrize("noise", [1e-1, 1e-2, 1e-3, 1e-4])
def test_nearly_a_function_has_a_density(z, noise):
    found = entropy.joint(np.c_[z[:, :3], z[:, :3].sum(1) + noise * z[:, 3]])
    assert found.functions == ()
    assert found.coordinates == "linear"
    assert off(found, 4 * GAUSSIAN + math.log(noise)) < 3


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_far_row_makes_no_function(z, kind):
    found = entropy.joint(np.r_[z, [[1e30] * 4]].astype(kind))
    assert found.functions == ()
    assert off(found, 4 * GAUSSIAN) < 3
    heavy = entropy.joint(np.random.default_rng(1).standard_cauchy((N, 4)))
    assert heavy.functions == ()
    assert off(heavy, 4 * math.log(4 * math.pi)) < 3


def test_a_constant_is_a_function_and_the_value_is_of_the_others(z):
    scaled = np.c_[1e-12 * z[:, 0], np.full(N, 3.0), z[:, 1]]
    found = entropy.joint(scaled)
    assert found.functions == (1,)
    assert list(found.floor) == [False, True, False]
    assert list(found.atoms) == [0, 1, 0]
    assert off(found, 2 * GAUSSIAN + math.log(1e-12)) < 3
    for x in (np.ones((400, 3)), np.ones((400, 1))):
        found = entropy.joint(x)
        assert math.isnan(found.value)
        assert found.functions == tuple(range(x.shape[1]))
        assert found.floor.all()


def test_atoms_are_reported_for_each_dimension(z):
    z[:1000, 1] = 0.0
    found = entropy.joint(z)
    np.testing.assert_allclose(found.atoms, [0, 0.25, 0, 0], atol=0.01)
    assert {"ties", "atoms"} <= set(found.flags)


SURFACES = {
    "parabola": lambda z: np.c_[z[:, 0], z[:, 0] ** 2],
    "parabola and another": lambda z: np.c_[z[:, 1], z[:, 0], z[:, 0] ** 2],
    "circle": lambda z: np.c_[np.cos(z[:, 0]), np.sin(z[:, 0])],
    "sphere": lambda z: z[:, :3] / np.linalg.norm(z[:, :3], axis=1, keepdims=True),
    "sphere in four": lambda z: z / np.linalg.norm(z, axis=1, keepdims=True),
    "saddle": lambda z: np.c_[z[:, :2], z[:, 0] * z[:, 1]],
}


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_are_thin(z, name):
    found = entropy.joint(SURFACES[name](z))
    assert found.thin
    assert "thin" in found.flags
    assert found.lower == -math.inf


def test_a_large_sphere_is_thin():
    x = np.random.default_rng(0).normal(size=(N, 10))
    assert entropy.joint(x / np.linalg.norm(x, axis=1, keepdims=True)).thin
    assert not entropy.joint(x).thin


def test_volumes_are_not_thin(laws):
    for law in laws.LAWS:
        for d in (2, 3, 6):
            if law not in (laws.rings, laws.mixed_rings) or d % 2 == 0:
                found = [entropy.joint(law(d, 2000, np.random.default_rng(seed))[0].T) for seed in range(3)]
                assert not any(f.thin for f in found), (law.__name__, d)
                assert not any(f.functions for f in found), (law.__name__, d)


@pytest.mark.parametrize(("d", "times"), [(2, 4), (3, 4), (10, 2)])
def test_repeated_inputs_count_once(d, times):
    once = np.random.default_rng(0).normal(size=(1000, d))
    expected = entropy.joint(once)
    for again in (np.tile(once, (times, 1)), np.repeat(once, times, axis=0)):
        found = entropy.joint(again)
        assert found.rows == 1000
        assert (found.ties == 1).all()
        assert "ties" in found.flags
        assert found.value == pytest.approx(expected.value, abs=1e-4)
        assert off(found, d * GAUSSIAN) < 3
        assert found.standard_error == pytest.approx(expected.standard_error, rel=0.3)


def test_rounded_repeated_inputs_count_once():
    once = np.random.default_rng(0).normal(size=(1000, 10))
    found = entropy.joint(torch.tensor(np.tile(once, (3, 1))).bfloat16())
    assert found.rows == 1000
    assert off(found, 10 * GAUSSIAN) < 3


def test_rounded_rows_that_are_equal_by_chance_all_count(z):
    half = entropy.joint(torch.tensor(z[:, :2]).bfloat16())
    assert half.rows == N
    assert off(half, 2 * GAUSSIAN) < 3
    assert entropy.joint(np.round(2 * z[:, :3])).rows == N


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 40), st.integers(2, 200))
def test_repeated_rows_are_the_twins(seed, d, kinds, values):
    rng = np.random.default_rng(seed)
    different = rng.integers(-values, values, (d, kinds)) * rng.choice([-0.0, 0.25, 1.0], (d, 1))
    x = different[:, rng.integers(0, kinds, 60)].astype(np.float32)
    pairs = reference.pairs(x)
    chance = d == 1 or any(reference.pairs(np.delete(x, j, axis=0)) > 2 * pairs for j in range(d))
    expected = list(range(60)) if chance else reference.first_of_their_kind(x)
    assert list(first_of_their_kind(x)) == expected


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_coordinates(kind):
    rng = np.random.default_rng(0)
    laplace = rng.laplace(size=(N, 6)) @ rng.normal(size=(6, 6))
    student = rng.normal(size=(N, 8)) / np.sqrt(rng.chisquare(4, (N, 1)) / 4)
    for x, name in ((laplace, "linear"), (student, "radial")):
        whole, half = entropy.joint(x), entropy.joint(torch.tensor(x).to(kind))
        assert whole.coordinates == half.coordinates == name
        assert half.value == pytest.approx(whole.value, abs=0.03)
        assert "ties" in half.flags
        assert not half.atoms.any()
        assert entropy.joint(torch.tensor(x).to(kind)).value == half.value


def autoregression(phi, d, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    x[1:] *= math.sqrt(1 - phi**2)
    for t in range(1, n):
        x[t] += phi * x[t - 1]
    return x


@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_error_covers_where_rows_follow_each_other(phi, d):
    found = [entropy.joint(autoregression(phi, d, 2000, [seed, d])) for seed in range(60)]
    assert np.mean([off(f, d * GAUSSIAN) <= 1.96 for f in found]) >= 0.83  # 0.9 less two deviations of 60 seeds
    assert np.std([f.value for f in found]) == pytest.approx(np.mean([f.standard_error for f in found]), rel=0.4)


def test_independent_rows_may_come_in_any_order():
    x = autoregression(0.9, 2, 2000, 0)
    narrow = entropy.joint(x, dependent=False)
    assert entropy.joint(x).standard_error > 1.8 * narrow.standard_error
    shuffled = entropy.joint(np.random.default_rng(0).permutation(x))
    assert shuffled.standard_error == pytest.approx(narrow.standard_error, rel=0.1)


def test_dependent_dimensions_are_seen_in_dependent_rows():
    x = autoregression(0.9, 1, 4000, 0)
    angle = np.pi * np.arange(2)[None] / 2 + 2 * x
    found = entropy.joint(np.cos(angle) + 0.1 * autoregression(0.9, 2, 4000, 1))
    assert found.blocks == ((0, 1),)


def test_a_row_that_is_not_finite_is_left_out(z):
    z[::10, 2] = np.nan
    z[1::10, 0] = -np.inf
    found = entropy.joint(z)
    assert (found.rows, found.non_finite) == (3200, 800)
    assert found.value == entropy.joint(z[np.isfinite(z).all(axis=1)]).value


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e15])
def test_the_scale_is_added(z, scale):
    assert off(entropy.joint(z * scale), 4 * (GAUSSIAN + math.log(scale))) < 3
    mixed = entropy.joint(z * [1.0, scale, 1.0, 1.0])
    assert off(mixed, 4 * GAUSSIAN + math.log(scale)) < 3


def test_one_dimension_and_few_rows(z):
    sparse = np.where(z[:, :1] > 1.5, z[:, :1], 0)
    assert entropy.joint(sparse).value == pytest.approx(entropy.knn(sparse[:, 0]).value, abs=1e-6)
    assert entropy.joint(z[:, :1]).value == pytest.approx(entropy.knn(z[:, 0]).value, abs=1e-6)
    assert math.isfinite(entropy.joint(z[:16]).value)
    few = entropy.joint(z[:15])
    assert math.isnan(few.value) and math.isnan(few.lower)
    assert few.rows == 15
    assert math.isnan(entropy.joint(np.tile(z[:15], (4, 1))).value)


@pytest.mark.slow
def test_the_accuracy_that_is_promised(laws):
    """At 10⁴ rows: the mean of a few seeds, whose own deviation is half of what is allowed or less."""

    def bias(law, d, seeds):
        drawn = [law(d, 10_000, np.random.default_rng([seed, d])) for seed in range(seeds)]
        return np.mean([entropy.joint(x.T.astype(np.float32)).value - truth for x, truth in drawn])

    assert abs(bias(laws.half_passive, 20, 3)) <= 0.05
    for law in laws.LAWS:
        if law not in (laws.rings, laws.mixed_rings):
            assert abs(bias(law, 20, 4)) <= 0.15, law.__name__
    assert abs(bias(laws.rings, 10, 3)) <= 0.1
