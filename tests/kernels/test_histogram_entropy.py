"""The entropy of laid-out bins against its slow twin, and what it promises: accuracy, coverage, atoms, lattices."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import histogram_entropy as slow

from polar_monitor.kernels import histogram_entropy

BINS = 64
NORMAL = 0.5 * math.log(2 * math.pi * math.e)
Array = np.ndarray[Any, Any]

few = st.integers(0, 40)
many = st.one_of(few, st.just(0), st.integers(0, 3000))
listed = st.lists(few, max_size=80) | st.lists(many, max_size=4 * BINS - 2)
fractions = st.floats(0, 1, exclude_max=True).map(lambda u: math.floor(u * 2**20) / 2**20)


def laid(x: Array, bins: int = 512) -> tuple[Array, Array]:
    """`ordered` (D, 4B) and `frame` (D, 6) of x (D, n)."""
    found = [slow.ordered_counts(row, bins) for row in x]
    ordered = np.full((len(x), 4 * bins), -1)  # what lies beyond the bins is anything
    for row, (counts, _) in zip(ordered, found, strict=True):
        row[: len(counts)] = counts
    return ordered, np.array([frame for _, frame in found])


def of(x: Array, bins: int = 512) -> histogram_entropy.Entropy:
    return histogram_entropy.estimate(*laid(np.atleast_2d(np.asarray(x, np.float64)), bins))


def assert_twins(counts: Array, frame: list[float], bins: int, effective: float = math.inf) -> None:
    ordered = np.full((1, 4 * bins), -1)
    ordered[0, : len(counts)] = counts
    expected = slow.entropy(counts, frame, bins, effective)
    ours = histogram_entropy.estimate(ordered, np.array([frame]), effective)
    np.testing.assert_allclose([a[0] for a in ours], expected, rtol=1e-12, atol=1e-12)


@given(
    inner=listed,
    stride=st.integers(1, 5),
    peak=st.none() | st.tuples(st.integers(0, 300), st.integers(0, 20_000)),
    ends=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    within=st.tuples(fractions, fractions),
    exponent=st.integers(-149, 110),
    base=st.integers(-(2**24), 2**24),
    far=st.integers(0, 16),
    effective=st.floats(1, 1e6) | st.just(math.inf),
)
@example([20] * 100, 4, None, (20, 20), (0.0, 0.0), -3, 5, 0, math.inf)
@example([20] * 100, 1, (50, 20_000), (20, 20), (0.5, 0.5), -3, 5, 1, math.inf)
@example([], 1, None, (1, 1), (0.0, 0.0), 0, 0, 0, math.inf)
@example([4000] * 60, 1, (30, 20_000), (20, 20), (0.5, 0.5), -3, 5, 0, math.inf)
@example([20] * 40, 1, (30, 90), (20, 20), (0.5, 0.5), -3, 5, 0, 30.0)
@example([0] * 40, 1, None, (400, 400), (0.5, 0.5), 0, -20, 0, math.inf)
def test_entropy_is_the_slow_twins(inner, stride, peak, ends, within, exponent, base, far, effective):
    counts = np.zeros(4 * BINS, np.int64)
    spaced = inner[: (len(counts) - 2) // stride]
    last = len(spaced) * stride + 1
    counts[1:last:stride] = spaced
    if peak is not None:
        counts[peak[0] % (last + 1)] += peak[1]
    counts[0], counts[last] = ends
    width = 2.0**exponent
    frame = [exponent, base, last + 1, (base + within[0]) * width, (base + last + within[1]) * width, far]
    assert_twins(counts[: last + 1], frame, BINS, effective)


LAWS: dict[str, tuple[Callable[..., Array], float]] = {
    "normal": (lambda r, size: r.normal(size=size), NORMAL),
    "uniform": (lambda r, size: r.random(size), 0.0),
    "laplace": (lambda r, size: r.laplace(size=size), 1 + math.log(2)),
    "exponential": (lambda r, size: r.exponential(size=size), 1.0),
    "arcsine": (lambda r, size: np.sin(math.pi * (r.random(size) - 0.5)), math.log(math.pi / 2)),
    "log-normal": (lambda r, size: r.lognormal(size=size), NORMAL),
}
"""Sampler and entropy of each law."""
every_law = pytest.mark.parametrize(("draw", "truth"), LAWS.values(), ids=LAWS.keys())


@every_law
@pytest.mark.parametrize("n", [50, 700, 4096])
def test_entropy_of_laws_is_the_slow_twins(draw, truth, n):
    x = draw(np.random.default_rng(n), (1, n)).astype(np.float32).astype(np.float64)
    assert_twins(*slow.ordered_counts(x[0], 512), 512)


@every_law
def test_it_is_right_and_says_how_far_off(draw, truth):
    n, seeds = 4096, 200
    scale, shift = np.random.default_rng(1).uniform([[1], [-3]], [[2], [3]], (2, seeds))
    x = scale[:, None] * draw(np.random.default_rng(0), (seeds, n)) + shift[:, None]
    value, error, atoms, coarse, _ = of(x)
    off = value - np.log(scale) - truth
    assert abs(off.mean()) < 3 * math.sqrt(2) / math.sqrt(n * seeds) + 0.002
    assert 0.90 <= (np.abs(off) <= 1.96 * error).mean() <= 0.99
    assert not atoms.any()
    assert coarse.mean() <= 0.01


def test_uniform_is_known_to_its_ends():
    value, _ = of(np.random.default_rng(0).random((50, 10_000)))[:2]
    assert np.sqrt((value**2).mean()) < 0.001


def test_singular_ends_are_not_smeared_over_their_bins():
    draw, truth = LAWS["arcsine"]
    value, _ = of(draw(np.random.default_rng(0), (50, 10_000)), 128)[:2]
    assert abs(value.mean() - truth) < 0.006  # 0.04 with bins alone


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_rows_on_an_atom_are_left_out(share):
    r = np.random.default_rng(0)
    x = np.where(r.random((20, 10_000)) < share, 0.0, r.normal(size=(20, 10_000)))
    value, _, atoms = of(x)[:3]
    assert abs(value.mean() - NORMAL) < 0.02
    np.testing.assert_allclose(atoms, share, atol=0.02)


@pytest.mark.parametrize("spacing", [0.0625, 0.05, 0.03])
def test_points_of_a_lattice_are_spread_over_their_cells(spacing):
    x = np.round(np.random.default_rng(0).normal(size=(20, 10_000)) / spacing) * spacing
    value, _, atoms = of(x)[:3]
    assert abs(value.mean() - NORMAL) < 0.02
    assert not atoms.any()


def test_a_spacing_that_doubles_within_the_values_is_a_lattice_too():
    # near 1, bfloat16 has 8 bits: the spacing is 2^-8 below it and 2^-7 above
    x = 1 + 0.05 * np.random.default_rng(0).normal(size=(40, 10_000))
    value, error = of(np.where(x < 1, np.round(x * 256) / 256, np.round(x * 128) / 128))[:2]
    off = value - NORMAL - math.log(0.05)
    assert abs(off.mean()) < 0.02
    assert (np.abs(off) <= 1.96 * error).mean() > 0.9


def test_few_values_are_all_atoms():
    r = np.random.default_rng(0)
    digits = of(r.integers(0, 10, (1, 10_000)))
    assert digits.atoms[0] == 1.0
    assert digits.value[0] == pytest.approx(math.log(10), abs=0.01)
    assert of(r.integers(0, 2, (1, 10_000))).atoms[0] == pytest.approx(1.0, abs=0.002)


def test_a_constant_has_the_entropy_of_its_cell_and_no_values_have_none():
    frame = np.array([[-20.0, 3.0, 1.0, 3.0, 3.0, 0.0], [math.nan, math.nan, 0.0, math.nan, math.nan, 0.0]])
    found = histogram_entropy.estimate(np.full((2, 64), 7), frame)
    np.testing.assert_array_equal(
        np.array(found), [[-20 * math.log(2), math.nan], [0, math.nan], [1, math.nan], [0, 0], [0, 0]]
    )


def test_a_far_value_costs_its_own_surprise():
    ordered, frame = laid(np.random.default_rng(0).normal(size=(1, 10_000)))
    near = histogram_entropy.estimate(ordered.copy(), frame)
    frame[0, 5] = 1
    far = histogram_entropy.estimate(ordered, frame)
    assert 0 < far.value[0] - near.value[0] < 0.002


def test_fewer_independent_rows_mean_a_larger_error():
    ordered, frame = laid(np.random.default_rng(0).normal(size=(2, 10_000)))
    every = histogram_entropy.estimate(ordered, frame)
    some = histogram_entropy.estimate(ordered, frame, np.array([2500.0, 1e9]))
    np.testing.assert_array_equal(some.value, every.value)
    assert some.standard_error[0] == pytest.approx(2 * every.standard_error[0], rel=0.01)
    assert some.standard_error[1] == every.standard_error[1]


@pytest.mark.parametrize("n", [2, 5, 15, 16, 40])
def test_few_rows_give_a_wide_interval(n):
    value, error = of(np.random.default_rng(0).normal(size=(100, n)))[:2]
    assert (np.abs(value - NORMAL) <= 1.96 * error).mean() >= 0.85


def mixed(share: float, deviation: float, centre: float = 0.0) -> Callable[..., Array]:
    """Rows of N(0, 1) of which a share has a far smaller deviation: two dimensions of information in one."""

    def draw(r, size):
        z = r.normal(size=size)
        return np.where(r.random(size) < share, centre + deviation * z, z)

    return draw


def entropy_of_mixed(share: float, deviation: float) -> float:
    x = np.concatenate([np.linspace(0, 12 * deviation, 20_001), np.linspace(12 * deviation, 12, 20_001)[1:]])
    both = ((share, deviation), (1 - share, 1.0))
    f = sum(p / s * np.exp(-0.5 * (x / s) ** 2) for p, s in both) / math.sqrt(2 * math.pi)
    return -2 * float(np.trapezoid(f * np.log(np.maximum(f, 1e-300)), x))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("deviation", [1e-4, 0.001, 0.005, 0.01, 0.02, 0.1])
def test_a_peak_that_the_bins_do_not_resolve_is_flagged_or_in_the_interval(share, deviation):
    found = of(mixed(share, deviation)(np.random.default_rng(0), (50, 12_800)))
    right = np.abs(found.value - entropy_of_mixed(share, deviation)) <= 1.96 * found.standard_error
    assert (right | found.coarse).mean() >= 0.8
    if deviation <= 0.001:
        assert found.coarse.all()
    if deviation == 0.1:
        assert not found.coarse.any()


def test_a_peak_inside_a_bin_is_no_atom_for_certain():
    r = np.random.default_rng(0)
    for x in (mixed(0.5, 0.001, 0.3777)(r, (20, 12_800)), np.where(r.random((20, 10_000)) < 0.3, 0.0, r.normal())):
        assert of(x).coarse.all()


def test_a_heap_at_an_end_is_no_atom():
    found = of(np.minimum(np.random.default_rng(0).lognormal(0, 3, (20, 12_800)), 1e5))
    assert found.coarse.all()
    assert not found.atoms.any()
    assert (np.abs(found.value - NORMAL - math.log(3)) <= 1.96 * found.standard_error).all()


def test_modes_far_apart_are_too_coarse():
    r = np.random.default_rng(0)
    assert of(r.normal(size=(20, 4000)) + 1e6 * r.integers(0, 2, (20, 4000))).coarse.all()


@pytest.mark.parametrize(("bins", "coarse"), [(2, True), (4, True), (8, True), (32, False), (64, False)])
def test_too_few_bins_are_too_coarse(bins, coarse):
    assert (of(np.random.default_rng(0).normal(size=(20, 12_800)).clip(-3, 3), bins).coarse == coarse).all()


def test_resolved_laws_are_not_called_coarse():
    r = np.random.default_rng(0)
    laws = [draw(r, (20, 40_000)) for draw, _ in LAWS.values()]
    steps = np.where(r.random((20, 40_000)) < 0.8, 0.3, 1.0) * r.random((20, 40_000))
    clusters = r.integers(0, 3, (20, 40_000)) + 0.02 * r.normal(size=(20, 40_000))
    for x in [*laws, steps, clusters]:
        assert of(x).coarse.mean() <= 0.05


@pytest.mark.parametrize("far", [0, 3])
def test_far_values_are_counted(far):
    ordered, frame = laid(np.random.default_rng(0).normal(size=(1, 400)))
    frame[0, 5] = far
    assert histogram_entropy.estimate(ordered, frame).far.tolist() == [far]
