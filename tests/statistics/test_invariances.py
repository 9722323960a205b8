"""Labels under permutation, shift and scale of the dimensions, which do not change them, and under rotation."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED

from polar_monitor.regime.judge import judge
from polar_monitor.regime.regime import Regime, Verdict
from polar_monitor.statistics.stream import LatentStream
from polar_monitor.statistics.thresholds import INFORMATIVE_MEAN_ONLY

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


@given(kinds, seeds, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_dimensions_is_only_an_order(kinds, seed, random, with_variance):
    mean, variance = latents(kinds, seed)
    order = list(range(len(kinds)))
    random.shuffle(order)
    before = regime(mean, variance if with_variance else None)
    after = regime(mean[:, order], variance[:, order] if with_variance else None)
    assert after.labels == tuple(before.labels[j] for j in order)
    assert after.verdict is before.verdict


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


@pytest.mark.parametrize(("centre", "width"), [(0.6, 0.5), (0.5, 0.7), (0.4, 0.9), (0.3, 0.9), (0.8, 1.0)])
def test_a_broad_variance_of_one_peak_is_one_kind(centre, width):
    """Inputs on either side of both cuts, and nothing between two kinds."""
    rng = np.random.default_rng(12)
    mean = math.sqrt(1 - centre) * rng.normal(size=(4096, 50))
    variance = centre * np.exp(width * rng.normal(size=mean.shape) - width**2 / 2)
    assert regime(mean, variance).count(MIXED) == 0


@pytest.mark.parametrize("width", [0.0, 0.3, 0.5])
@pytest.mark.parametrize(("share", "rows"), [(0.07, 4096), (0.1, 1024), (0.5, 512)])
def test_two_kinds_are_mixed_however_noisy_each_is(width, share, rows):
    rng = np.random.default_rng(13)
    used = rng.random((rows, 50)) < share
    noise = np.exp(width * rng.normal(size=used.shape) - width**2 / 2)
    mean = np.where(used, 1.0, 0.05) * rng.normal(size=used.shape)
    assert regime(mean, np.where(used, 0.02, 0.99) * noise).count(MIXED) >= 47


def not_aligned(found):
    """Return the surplus dimensions that the reasons of a regime name, or 0."""
    said = [re.search(r"not axis-aligned: (\d+) more", reason) for reason in found.reasons]
    return sum(int(one[1]) for one in said if one)


@given(seeds, st.integers(1, 8))
def test_a_rotated_code_of_low_rank_is_not_axis_aligned(seed, rank):
    rng = np.random.default_rng(seed)
    code = np.zeros((N, 8))
    code[:, :rank] = rng.normal(size=(N, rank))
    aligned = regime(code)
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    rotated = regime(code @ rotation)
    if rank > 1:  # the scale of a code is that of its three widest dimensions, in the middle
        assert aligned.labels == (ACTIVE,) * rank + (PASSIVE,) * (8 - rank)
    assert not_aligned(aligned) == 0
    in_use = (rotated.snapshot.information >= INFORMATIVE_MEAN_ONLY).sum()
    assert not_aligned(rotated) == in_use - rank
    assert in_use >= 7 or rank < 3  # an axis can lie across a code of few directions, and then is not in use
    assert rotated.snapshot.effective_rank == pytest.approx(aligned.snapshot.effective_rank, rel=1e-3)


@pytest.mark.parametrize("scales", [[1, 0.3, 0.2, 0.15], [1] * 8, [1, 0.6, 0.01], np.geomspace(1, 0.2, 40)])
def test_an_aligned_code_may_have_unequal_scales(scales):
    code = np.random.default_rng(0).normal(size=(4000, len(scales))) * scales
    assert not_aligned(regime(code)) == 0


def test_a_code_of_full_rank_may_be_rotated():
    rng = np.random.default_rng(1)
    for scales in ([1, 0.3, 0.2, 0.15], [1] * 8):
        rotation, _ = np.linalg.qr(rng.normal(size=(len(scales),) * 2))
        assert not_aligned(regime(rng.normal(size=(4000, len(scales))) * scales @ rotation)) == 0


def test_low_rank_is_not_reported_with_too_few_rows():
    """Noise makes some eigenvalues of 1024 rows of 512 independent dimensions tiny."""
    assert math.isnan(regime(np.random.default_rng(2).normal(size=(600, 160))).snapshot.surplus)
    wide = np.random.default_rng(2).normal(size=(N, 600))
    assert regime(wide).snapshot.surplus == 0
    low = np.random.default_rng(3).normal(size=(N, 5)) @ np.random.default_rng(4).normal(size=(5, 600))
    assert regime(low).snapshot.surplus > 200


@pytest.mark.parametrize("with_variance", [True, False])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("inputs", [50, 64, 511])
def test_finite_rows_of_a_dimension_are_counted_as_inputs(with_variance, size, inputs):
    parts = [latents(["active"] * 2, 11 + seed) for seed in range(2 * size)]
    mean, variance = (np.concatenate(x) for x in zip(*parts, strict=True))
    mean[inputs * size :, 1] = np.nan
    stream = LatentStream(2, window=len(mean), has_variance=with_variance)
    stream.update(mean.astype(np.float32), variance.astype(np.float32) if with_variance else None, per=size)
    found = judge(stream.snapshot(step=0))
    assert found.snapshot.finite.tolist() == [2 * N, inputs]
    assert found.labels == (ACTIVE, UNDECIDED)
    assert found.verdict is Verdict.ALL_ACTIVE
    assert f"only {inputs} of {2 * N} independent rows are finite in it" in found.explain(1)


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
    assert f"only 0 of {N} independent rows are finite in it" in found.explain(2)


@pytest.mark.parametrize("rows", [1, 31, 511])
def test_too_few_rows_are_undecided_with_the_reason(rows):
    mean, variance = latents(["active", "passive"], 8)
    found = regime(mean[:rows], variance[:rows])
    assert found.labels == (UNDECIDED, UNDECIDED)
    assert found.verdict is Verdict.NOT_ESTIMABLE
    assert f"only {rows} independent rows, 512 are needed" in found.reasons[0]
    assert f"only {rows} independent rows" in found.explain(0)


@pytest.mark.parametrize("order", ["in turn", "shuffled", "drifting"])
@pytest.mark.parametrize("with_variance", [True, False])
def test_inputs_that_recur_are_counted_once_and_the_reason_says_so(order, with_variance):
    """One small batch over and over: 16 inputs, which tell log 16 nats at most and no label."""
    rng = np.random.default_rng(14)
    mean, variance = latents(["active", "mixed", "active"], 14)
    which = np.arange(4 * N) % 16
    if order == "shuffled":
        which = rng.permutation(which)
    mean, variance = mean[which], variance[which]
    if order == "drifting":
        mean = mean + 0.002 * np.cumsum(rng.normal(size=mean.shape), axis=0) / math.sqrt(len(mean))
    found = regime(mean, variance if with_variance else None)
    s = found.snapshot
    assert 16 <= s.independent <= 20
    assert (s.finite == s.independent).all()
    assert 200 <= s.repeats <= 256
    assert (s.information <= math.log(16) + 1.96 * s.information_se).all()
    assert found.labels == (UNDECIDED,) * 3
    assert found.verdict is Verdict.NOT_ESTIMABLE
    reason = f"only {s.independent} different inputs in {4 * N} rows, 512 are needed"
    assert reason in found.reasons[0] and reason in found.explain(0)


def test_a_training_set_that_is_seen_again_is_judged_by_its_inputs():
    mean, variance = latents(["active", "passive", "mixed"], 15)
    once, again = regime(mean, variance), regime(np.tile(mean, (4, 1)), np.tile(variance, (4, 1)))
    assert again.labels == once.labels == (ACTIVE, PASSIVE, MIXED)
    assert again.snapshot.independent == pytest.approx(N, rel=0.1)
    np.testing.assert_allclose(again.snapshot.kl_se, once.snapshot.kl_se, rtol=0.1)


def test_a_dimension_that_is_surely_between_the_cuts_is_undecided_at_once():
    clear = regime(*latents(["active"], 9))
    mean = math.sqrt(1 - math.exp(-0.2)) * np.random.default_rng(9).normal(size=(N, 1))
    stream = LatentStream(1)
    stream.update(mean.astype(np.float32), np.full((N, 1), math.exp(-0.2), np.float32))
    found = judge(stream.snapshot(step=0), clear)
    assert found.labels[0] is UNDECIDED
    assert MIXED not in found.labels
