"""Full snapshots of wide latents on a training thread: what they cover, and that nothing covered is another number."""

from __future__ import annotations

import numpy as np
import pytest

from polar_monitor.regime.judge import judge
from polar_monitor.statistics import stream as module
from polar_monitor.statistics.full import FULL_SECONDS, LOWEST, MAX_COVERED, MIN_COVERED, choose_covered
from polar_monitor.statistics.histogram_state import check_histogram
from polar_monitor.statistics.stream import LatentStream


def fed(dimensions: int, bounded: bool, has_variance: bool = True, rows: int = 512, **options: bool) -> LatentStream:
    rng = np.random.default_rng(dimensions)
    stream = LatentStream(dimensions, window=rows, has_variance=has_variance, bounded=bounded, **options)
    scale = rng.uniform(0.05, 1.0, dimensions).astype(np.float32)
    mean = scale * rng.normal(size=(rows, dimensions)).astype(np.float32)
    stream.update(mean, np.broadcast_to(1.0 - 0.9 * scale**2, mean.shape) if has_variance else None)
    return stream


def clock(patch: pytest.MonkeyPatch, tick: float) -> None:
    """Let light statistics take `tick` seconds of the processor."""
    now = iter(np.arange(1000) * tick)
    patch.setattr(module, "thread_time", lambda: next(now))


@pytest.mark.parametrize("dimensions", [10, 256, 1024, 2048, 4096, 65_536])
@pytest.mark.parametrize("seconds", [0.0, 1e-3, 0.02, 0.1, 0.4, 10.0])
@pytest.mark.parametrize("rows", [0, 64, 512, 4096])
def test_the_choice(dimensions: int, seconds: float, rows: int) -> None:
    information = np.random.default_rng(0).permutation(dimensions).astype(float)
    which = choose_covered(information, seconds, rows)
    if which is None:
        assert dimensions <= MAX_COVERED
        assert dimensions <= MIN_COVERED or 5 * seconds < FULL_SECONDS
        return
    assert MIN_COVERED <= len(which) <= MAX_COVERED and len(which) < dimensions
    assert len(which) == MIN_COVERED or 5 * seconds * len(which) / dimensions < FULL_SECONDS
    assert (np.diff(which) > 0).all()
    found = np.sort(information[which])
    expected = np.r_[:LOWEST, dimensions - len(which) + LOWEST : dimensions]
    np.testing.assert_array_equal(found, expected)


def test_dimensions_without_information_come_last() -> None:
    information = np.full(4096, np.nan)
    information[100:200] = 1.0
    which = choose_covered(information, 0.0, 512)
    assert which is not None and set(range(100, 200)) <= set(which.tolist())


@pytest.mark.parametrize("has_variance", [True, False])
def test_what_is_covered_is_what_all_of_them_say(has_variance: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 10.0)
    whole, part = fed(600, False, has_variance).snapshot(7), fed(600, True, has_variance).snapshot(7)
    assert (whole.covered, part.covered) == (600, MIN_COVERED)
    known = np.isfinite(part.entropy_knn)
    assert known.sum() == MIN_COVERED
    for name in ("entropy_knn", "entropy_knn_se", "ties"):
        np.testing.assert_array_equal(getattr(part, name)[known], getattr(whole, name)[known], err_msg=name)
        assert np.isnan(getattr(part, name)[~known]).all(), name
    np.testing.assert_allclose(part.entropy_hist[known], whole.entropy_hist[known], atol=0.1)
    assert (part.max_correlation[known] <= whole.max_correlation[known]).all()
    for name in ("information", "information_se", "kl", "mean_largest", "entropy_minmax", "share_narrow"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name), err_msg=name)
    assert part.joint_entropy == whole.joint_entropy or (np.isnan(part.joint_entropy) and np.isnan(whole.joint_entropy))
    assert judge(part).labels == judge(whole).labels
    assert len(part.histograms) == 600
    for j in (0, 300, 599):
        mine, theirs = part.histograms[j], whole.histograms[j]
        assert mine.counts.sum() == (theirs.counts.sum() if known[j] else 0)
    chosen = part.histograms.chosen([599, 0, 300])  # type: ignore[attr-defined]
    assert [h.counts.sum() for h in chosen] == [part.histograms[j].counts.sum() for j in (599, 0, 300)]


def test_a_criterion_that_reads_entropies_has_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 10.0)
    snapshot = fed(600, True, entropies=True).snapshot(7)
    assert snapshot.covered == MIN_COVERED and np.isfinite(snapshot.entropy_knn).all()
    assert (
        judge(snapshot, None, "mean_entropy").labels == judge(fed(600, False).snapshot(7), None, "mean_entropy").labels
    )


def test_a_quick_machine_covers_all_of_a_latent_that_is_not_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 1e-3)
    assert fed(600, True).snapshot(7).covered == 600


def test_a_very_wide_latent_keeps_no_histograms_and_continues_from_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 0.0)
    stream = fed(MAX_COVERED + 1, True, rows=64)
    state = stream.state_dict()
    assert state["histogram"] is None
    check_histogram(state)
    other = LatentStream(MAX_COVERED + 1, window=64, bounded=True)
    other.load_state_dict(state)
    one, two = stream.snapshot(3), other.snapshot(3)
    assert one.covered == two.covered == MAX_COVERED
    np.testing.assert_array_equal(one.entropy_hist, two.entropy_hist)
    assert np.isfinite(one.entropy_hist).sum() == MAX_COVERED
