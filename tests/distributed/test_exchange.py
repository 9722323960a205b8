"""Exchange of shares, with ranks that are threads: what is merged, in whatever order the ranks come."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.distributed import merge as merge_bench
from polar_monitor.distributed import share as shares
from polar_monitor.distributed.exchange import exchange
from polar_monitor.distributed.share import Share, in_order, quotas
from polar_monitor.errors import PolarMonitorError


class Threads:
    """Ranks that are threads; `vectors` are the collectives of all, in order."""

    def __init__(self, size):
        self.size, self.barrier = size, threading.Barrier(size, timeout=20)
        self.slots, self.vectors = [None] * size, []

    def run(self, call):
        """Return what each rank returns, or raises."""
        results = [None] * self.size

        def one(rank):
            try:
                results[rank] = call(Rank(self, rank))
            except Exception as failure:
                results[rank] = failure

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


class Rank:
    def __init__(self, group, rank):
        self.group, self.rank, self.size = group, rank, group.size

    def sum(self, vector):
        self.group.slots[self.rank] = vector
        self.group.barrier.wait()
        total = np.sum(np.stack(self.group.slots), axis=0)
        if self.rank == 0:
            self.group.vectors.append(vector.dtype)
        self.group.barrier.wait()
        return total


def rows(n, seed, dimensions=3, has_variance=True, per=1, step=0):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(n, dimensions)).astype(np.float32)
    variance = rng.random((n, dimensions)).astype(np.float32) if has_variance else None
    inputs = 100 + np.arange(n) // per
    counts = np.array([10 * n, n, 9 * n, n, 0])
    return Share(
        mean, variance, inputs, np.full(n, step), np.arange(dimensions), counts, 23, "var" if has_variance else None
    )


def merge(parts, plan=(7, 3), notes=None):
    group = Threads(len(parts))
    notes = np.zeros(2) if notes is None else notes
    results = group.run(lambda rank: exchange([parts[rank.rank], None], plan, notes, {"window": 512}, rank))
    assert group.vectors == [np.int64, np.float64]
    return results


def as_set(share):
    sides = share.mean if share.variance is None else np.hstack([share.mean, share.variance])
    return sorted(map(bytes, np.ascontiguousarray(sides)))


@given(sizes=st.lists(st.integers(0, 40), min_size=2, max_size=4), data=st.data())
@settings(max_examples=25, deadline=None)
def test_all_rows_and_counts_arrive_whole_and_every_order_of_ranks_gives_the_same_bits(sizes, data):
    parts = [rows(n, seed) if n else None for seed, n in enumerate(sizes)]
    results = merge(parts)
    present = [part for part in parts if part is not None]
    order = data.draw(st.permutations(range(len(parts))))
    again = merge([parts[i] for i in order])
    for got in (*results, *again):
        assert got.shares[1] is None
        assert got.plan.tolist() == [7, 3]
        assert got.without_rows == sizes.count(0)
        if not present:
            assert got.shares[0] is None
            continue
        share = got.shares[0]
        assert as_set(share) == sorted(row for part in present for row in as_set(part))
        np.testing.assert_array_equal(share.counts[:5], sum(part.counts for part in present))
        np.testing.assert_array_equal(share.non_finite, len(present) * np.arange(3))
        np.testing.assert_array_equal(share.mean, results[0].shares[0].mean)
        np.testing.assert_array_equal(share.variance, results[0].shares[0].variance)


def test_values_arrive_bit_for_bit():
    part = rows(5, 0)
    part.mean[0], part.mean[1], part.mean[2] = np.nan, np.inf, [1e-45, -3e38, 1 / 3]
    share = merge([rows(4, 1), part])[0].shares[0]
    assert as_set(share) == sorted(as_set(part) + as_set(rows(4, 1)))


def test_rows_of_an_input_stay_together_and_inputs_of_ranks_apart():
    part = rows(12, 0, per=4)
    share = merge([part, part._replace(mean=part.mean + 1)])[1].shares[0]
    numbers, counts = np.unique(share.inputs, return_counts=True)
    assert (numbers.tolist(), counts.tolist()) == (list(range(6)), [4] * 6)
    for number in numbers:
        block = share.mean[share.inputs == number]
        assert any(np.array_equal(block, part.mean[i : i + 4] + add) for i in (0, 4, 8) for add in (0, 1))


def test_rows_are_in_the_order_of_their_steps():
    share = merge([rows(6, 0, step=9), rows(6, 1, step=4)])[0].shares[0]
    assert share.steps.tolist() == [4] * 6 + [9] * 6


def test_too_many_rows_are_chosen_evenly_from_all_ranks(monkeypatch):
    monkeypatch.setattr(shares, "MAX_ROWS", 600)
    parts = [rows(n, seed, per=2, step=seed) for seed, n in enumerate((400, 800, 0, 1200)) if n] + [None]
    got = merge(parts)[0].shares[0]
    assert 590 <= len(got.mean) <= 600
    assert np.unique(got.inputs, return_counts=True)[1].tolist() == [2] * (len(got.mean) // 2)
    taken = [int((got.steps == step).sum()) for step in (0, 1, 3)]
    np.testing.assert_allclose(taken, [100, 200, 300], atol=4)
    kept = parts[2].chosen(300)
    assert abs(np.median(kept.inputs) - np.median(parts[2].inputs)) < 60
    assert got.counts[0] == 24_000


def test_the_bound_holds_for_wide_latents():
    assert quotas(np.array([4096, 4096]), 10, True).sum() == 8192
    assert quotas(np.full(8, 4096), 512, True).sum() * 1024 <= shares.MAX_NUMBERS


@pytest.mark.parametrize("ranks", [10**3, 10**4, 10**5])
def test_many_ranks_fill_the_window_together(ranks):
    shared = quotas(np.full(ranks, 4096), 128, True)
    assert 4096 <= shared.sum() <= 8192
    assert shared.min() >= 0


@pytest.mark.parametrize(("ranks", "dimensions"), [(2, 16), (3, 700)])
def test_the_calculation_for_many_ranks_gives_the_bytes_of_few(ranks, dimensions):
    agreed = dict.fromkeys(map(str, range(8)))
    group, part = Threads(ranks), rows(merge_bench.WINDOW, 0, dimensions=dimensions)
    results = group.run(lambda rank: exchange([part, None], (0, 1), np.zeros(merge_bench.NOTES), agreed, rank))
    assert results[0].size == merge_bench.calculated(ranks, dimensions)[1]


def test_latents_that_differ_are_an_error_on_every_rank_and_name_two():
    for got in merge([rows(5, 0), None, rows(5, 1, dimensions=8)]):
        assert isinstance(got, PolarMonitorError)
        assert "got 3 dimensions with var on rank 0 and 8 dimensions with var on rank 2" in str(got)
    for got in merge([rows(5, 0, has_variance=False), rows(5, 1)]):
        assert "3 dimensions with no spread on rank 0 and 3 dimensions with var on rank 1" in str(got)


NAMES = ("modes", "window", "resolution", "criterion", "warmup")


@pytest.mark.parametrize("other", [*((name,) for name in NAMES), ("window", "warmup")])
def test_another_argument_is_an_error_on_every_rank_and_is_named(other):
    group, values = Threads(3), dict.fromkeys(NAMES, 1)
    changed = values | dict.fromkeys(other, 2)
    results = group.run(
        lambda rank: exchange([rows(5, 0), None], (0, 1), np.zeros(1), changed if rank.rank == 1 else values, rank)
    )
    assert group.vectors == [np.int64, np.float64]
    named = " and ".join(f"{name}=" for name in other)
    for got in results:
        assert isinstance(got, PolarMonitorError)
        assert f"got another {named} on rank 1 than on rank 0" in str(got)


def test_an_order_is_of_content_alone():
    part = rows(50, 0, per=5)
    turned = np.concatenate([np.arange(25, 50), np.arange(25)])
    other = part._replace(mean=part.mean[turned], variance=part.variance[turned])
    np.testing.assert_array_equal(in_order(part).mean, in_order(other).mean)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_share_of_few_rows_is_whole(n):
    part = rows(n, 0)
    assert part.chosen(n) is part
    assert part.chosen(0).rows == 0
