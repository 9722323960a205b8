"""What must not change a label: the order, the place and the scale of dimensions. What a rotation does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED

from polar_monitor.regime import Regime, Verdict, judge
from polar_monitor.stream import LatentStream

N = 1024
KINDS = ("active", "passive", "mixed", "weak", "clusters")


def latents(kinds: list[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (N, D) of dimensions of these kinds."""
    rng = np.random.default_rng(seed)
    columns = []
    for kind in kinds:
        x, half = rng.normal(size=N), rng.uniform(size=N) < 0.5
        columns.append(
            {
                "active": (x, rng.gamma(20, 0.001, N)),
                "passive": (0.02 * x, rng.normal(1.0, 0.01, N)),
                "mixed": (np.where(half, x, 0.02 * x), np.where(half, 0.02, 1.0)),
                "weak": (0.8 * x, np.full(N, 0.5)),
                "clusters": (np.sign(x) + 0.001 * x, np.full(N, 0.02)),
            }[kind]
        )
    mean, variance = zip(*columns, strict=True)
    return np.stack(mean, 1), np.stack(variance, 1)


def regime(mean: np.ndarray, variance: np.ndarray | None = None) -> Regime:
    stream = LatentStream(mean.shape[1], has_variance=variance is not None)
    stream.update(mean.astype(np.float32), None if variance is None else variance.astype(np.float32))
    return judge(stream.snapshot(step=0))


kinds = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=100, deadline=None)
@given(kinds, seeds, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_dimensions_is_only_an_order(kinds, seed, random, with_variance):
    mean, variance = latents(kinds, seed)
    order = list(range(len(kinds)))
    random.shuffle(order)
    before = regime(mean, variance if with_variance else None)
    after = regime(mean[:, order], variance[:, order] if with_variance else None)
    assert after.labels == tuple(before.labels[j] for j in order)
    assert after.verdict is before.verdict


@settings(max_examples=100, deadline=None)
@given(kinds, seeds, st.data())
def test_each_dimension_may_have_its_own_scale_sign_and_place(kinds, seed, data):
    """With a variance the noise gives the scale. A shift is in units of the dimension, since rows are float32."""
    mean, variance = latents(kinds, seed)
    several = st.lists(st.floats(-6, 6), min_size=len(kinds), max_size=len(kinds))
    scale = 10.0 ** np.array(data.draw(several)) * data.draw(st.sampled_from([1, -1]))
    shift = np.array(data.draw(several))
    before, after = regime(mean, variance), regime(scale * (mean + shift), scale**2 * variance)
    assert after.labels == before.labels
    assert after.verdict is before.verdict
    for one, other in ((before.snapshot, after.snapshot),):
        np.testing.assert_allclose(other.information, one.information, atol=2e-3)
        np.testing.assert_allclose(other.information_upper, one.information_upper, atol=1e-4)


@settings(max_examples=100, deadline=None)
@given(kinds, seeds, st.floats(-6, 6), st.floats(-6, 6))
def test_without_a_variance_all_dimensions_may_share_a_scale_and_each_has_its_place(kinds, seed, power, shift):
    mean, _ = latents(kinds, seed)
    scale = 10.0**power
    before, after = regime(mean), regime(scale * (mean + shift))
    assert after.labels == before.labels
    assert after.verdict is before.verdict


def test_without_a_variance_the_scale_of_one_dimension_is_its_label():
    """Nothing else could be: a code has no noise of its own. The regime says so."""
    mean, _ = latents(["active"] * 4, 0)
    small = regime(mean * [1.0, 1.0, 1.0, 1e-3])
    assert regime(mean).labels == (ACTIVE,) * 4
    assert small.labels == (ACTIVE, ACTIVE, ACTIVE, PASSIVE)
    assert any("undo any scale" in reason for reason in small.reasons)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_rotated_code_of_low_rank_is_not_axis_aligned(seed):
    rng = np.random.default_rng(seed)
    code = np.zeros((N, 8))
    code[:, :2] = rng.normal(size=(N, 2))
    aligned = regime(code)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    rotated = regime(code @ rotation)
    said = "low-rank but not axis-aligned"
    assert aligned.labels[:2] == (ACTIVE, ACTIVE)
    assert aligned.count(PASSIVE) == 6
    assert not any(said in reason for reason in aligned.reasons)
    assert any(said in reason for reason in rotated.reasons)
    assert rotated.snapshot.effective_rank == pytest.approx(aligned.snapshot.effective_rank, rel=1e-3)


@pytest.mark.parametrize(
    ("kinds", "verdict"),
    [
        (["active", "active", "mixed", "passive"], Verdict.POLARISED),
        (["active", "mixed", "weak"], Verdict.ALL_ACTIVE),
        (["passive"] * 3, Verdict.COLLAPSED),
        (["active"], Verdict.ALL_ACTIVE),
        (["passive"], Verdict.COLLAPSED),
    ],
)
def test_verdicts_of_rows(kinds, verdict):
    assert regime(*latents(kinds, 3)).verdict is verdict


def test_information_that_falls_evenly_is_graded():
    """Nine dimensions whose information falls by a third each: two groups would be an invention."""
    nats = 2.0 * 0.65 ** np.arange(12)
    noise = np.exp(-2 * nats)
    mean = np.sqrt(1 - noise) * np.random.default_rng(4).normal(size=(N, 12))
    assert regime(mean, np.broadcast_to(noise, mean.shape)).verdict is Verdict.GRADED


def test_constant_dimensions_are_passive_whatever_the_rest():
    constant = np.full((N, 3), [0.0, 2.0, -1e4])
    assert regime(constant, np.ones((N, 3))).verdict is Verdict.COLLAPSED
    assert regime(constant).labels == (PASSIVE,) * 3
    mean, variance = latents(["active"], 5)
    both = regime(np.concatenate([mean, constant], 1), np.concatenate([variance, np.ones((N, 3))], 1))
    assert both.labels == (ACTIVE, PASSIVE, PASSIVE, PASSIVE)


def test_a_variance_of_zero_is_a_noise_that_hides_nothing():
    """The deterministic limit: what varies is active, what does not is passive; both are finite."""
    mean, _ = latents(["active", "active"], 6)
    mean[:, 1] = 0.5
    found = regime(mean, np.zeros_like(mean))
    assert found.labels == (ACTIVE, PASSIVE)
    assert np.isfinite(found.snapshot.information).all()


@pytest.mark.parametrize("with_variance", [True, False])
def test_a_dimension_of_nan_leaves_the_others_judged_and_says_why(with_variance):
    mean, variance = latents(["active", "passive", "active", "active"], 7)
    mean[:, 2] = np.nan
    mean[::2, 3] = np.inf
    found = regime(mean, variance if with_variance else None)
    assert found.labels == (ACTIVE, PASSIVE, UNDECIDED, ACTIVE)
    assert f"{N} of its rows were not finite" in found.explain(2)


@pytest.mark.parametrize("rows", [1, 31, 511])
def test_too_few_rows_are_undecided_with_the_reason(rows):
    mean, variance = latents(["active", "passive"], 8)
    found = regime(mean[:rows], variance[:rows])
    assert found.labels == (UNDECIDED, UNDECIDED)
    assert found.verdict is Verdict.NOT_ESTIMABLE
    assert f"only {rows} independent rows, 512 are needed" in found.reasons[0]
    assert f"only {rows} independent rows" in found.explain(0)


def test_an_undecided_dimension_settles_as_such():
    """Undecided is a label like the others: three evaluations that agree on it make it one."""
    clear, between = regime(*latents(["active"], 9)), None
    mean = math.sqrt(1 - math.exp(-0.2)) * np.random.default_rng(9).normal(size=(N, 1))
    stream = LatentStream(1)
    stream.update(mean.astype(np.float32), np.full((N, 1), math.exp(-0.2), np.float32))
    between, seen = stream.snapshot(step=0), []
    found = clear
    for _ in range(3):
        found = judge(between, found)
        seen.append(found.labels[0])
    assert seen == [ACTIVE, ACTIVE, UNDECIDED]
    assert found.labels[0] is UNDECIDED
    assert MIXED not in found.labels
