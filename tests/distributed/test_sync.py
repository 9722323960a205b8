"""`sync` on real gloo ranks: what is merged is what one process would have seen."""

import numpy as np
import pytest
from ranks import start

import polar_monitor

ROUNDING = 2**-22
"""Relative distance of two numbers of a snapshot that were rounded to different sides."""
DEPEND_ON_ORDER = ("rows_from", "rows_to", "drift")
"""Numbers of a snapshot that depend on the steps of the rows."""


def same(one, other):
    """True if two records agree in every bit."""
    assert repr(one) == repr(other)


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_merged_ranks_equal_one_process_that_saw_all_rows(tmp_path, size):
    results = start.run("ranks.tasks:merged", size, tmp_path)
    alone = results[0][2][0]
    for merged, again, _ in results:
        same(merged, results[0][0])
        same(again, results[0][1])
        *head, numbers = merged[0]
        assert (head[0], *head[2:]) == (alone[0], *alone[2:5])
        assert head[1] == head[2] == sum((900, 1500, 0, 700)[:size])
        assert (again[0][0], again[0][1], again[0][3:]) == (merged[0][0], 0, merged[0][3:])
        for name, value in numbers.items():
            other = alone[5][name]
            if isinstance(value, int | bool | None) or name == "non_finite":
                assert value == other or name in DEPEND_ON_ORDER, name
            elif name in ("mean", "variance", "posterior_variance", "kl", "information"):
                np.testing.assert_allclose(value, other, rtol=ROUNDING, atol=1e-9, err_msg=name)


@pytest.mark.slow
def test_ranks_that_do_not_fit_get_the_same_error_and_none_hangs(tmp_path):
    arguments, latents = zip(*start.run("ranks.tasks:wrong", 2, tmp_path), strict=True)
    assert arguments[0] == arguments[1]
    assert "got another warmup= on rank 1 than on rank 0" in arguments[0]
    assert latents[0] == latents[1]
    assert "3 dimensions with var on rank 0 and 4 dimensions with var on rank 1" in latents[0]


@pytest.mark.slow
def test_training_is_the_same_bit_for_bit_and_every_rank_gets_the_same_evaluations(tmp_path):
    results = start.run("ranks.tasks:training", 2, tmp_path, tmp_path)
    for same_weights, merges, last, logs in results:
        assert same_weights
        assert len(merges) >= 2
        assert merges == results[0][1]
        same(last, results[0][2])
        assert logs == ["polar.jsonl"]
    rows = sum(32 + 16 * rank for rank in range(2)) * 60
    assert results[0][2][0][5]["rows"] <= rows
    for size in (1, 2, 4):
        (tmp_path / str(size)).mkdir()
        state = tmp_path / "state-1.pt"
        again = start.run("ranks.tasks:resumed", size, tmp_path / str(size), state)
        expected = results[0][2][0][5]["rows"] + sum((900, 1500, 0, 700)[:size])
        for record in again:
            same(record, again[0])
            assert record[0][5]["rows"] == expected


@pytest.mark.slow
def test_a_rank_that_dies_is_the_error_of_torch_and_what_rank_0_had_is_on_disk(tmp_path):
    results = start.run("ranks.tasks:dying", 2, tmp_path, tmp_path, timeout=10, may_fail=True)
    assert results[1] is None
    assert "RuntimeError" in results[0]
    assert "polar" not in results[0]
    run = polar_monitor.read(tmp_path / "run")
    assert {record.step for record in run} == {1}


@pytest.mark.slow
def test_a_distributed_checkpoint_is_loaded_on_any_number_of_ranks_and_counts_every_row_once(tmp_path):
    (tmp_path / "saving").mkdir()
    start.run("ranks.tasks:saved", 2, tmp_path / "saving", tmp_path / "checkpoint")
    for size in (1, 2, 4):
        (tmp_path / str(size)).mkdir()
        again = start.run("ranks.tasks:loaded", size, tmp_path / str(size), tmp_path / "checkpoint")
        for record in again:
            same(record, again[0])
            assert record[0][5]["rows"] == 2400 + sum((900, 1500, 0, 700)[:size])


@pytest.mark.slow
def test_a_model_that_is_sharded_trains_the_same_and_is_merged(tmp_path):
    results = start.run("ranks.tasks:sharded", 2, tmp_path)
    for evaluations, same_weights in results:
        assert same_weights == [True] * 3
        same(evaluations, results[0][0])
        for one in evaluations:
            assert one[0][5]["rows"] > 0


@pytest.mark.slow
def test_every_wrapping_of_ddp_trains_the_same_and_is_merged(tmp_path):
    for table in start.run("ranks.tasks:wrapped", 2, tmp_path):
        for name, (equal, seen, same_words) in table.items():
            assert equal == [True, True], name
            assert min(seen) >= 512, (name, seen)
            assert same_words, name


def test_without_several_ranks_it_is_evaluate():
    monitor = polar_monitor.PolarMonitor(every=100, sinks=())
    monitor.observe(np.random.default_rng(0).normal(size=(600, 2)), var=np.full((600, 2), 0.1))
    monitor.step()
    assert monitor.sync(due=True) == ()
    (evaluation,) = monitor.sync()
    assert evaluation.observed == 600
