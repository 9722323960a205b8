"""Ranks with fewer batches, without a latent yet, and without a group."""

import pytest
from ranks import start, uneven


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_that_end_at_different_steps_merge_after_the_join(tmp_path, size):
    results = start.run("ranks.uneven:joined_to_the_end", size, tmp_path)
    for same_weights, merged, again, summary in results:
        assert same_weights
        assert merged == results[0][1]
        step, observed, seen, labels, _, numbers = merged[0]
        assert (step, observed, seen) == (uneven.BATCHES[0], *[sum(uneven.BATCHES[:size]) * 64] * 2)
        assert numbers["rows"] == observed
        assert len(labels) == 3
        assert again[0][1:2] == (0,)
        assert f"merged from {size} ranks" in " ".join(summary.split())


@pytest.mark.parametrize("size", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_monitor_in_a_join_merges_while_ranks_have_different_batches(tmp_path, size):
    results = start.run("ranks.uneven:joined_in_the_loop", size, tmp_path)
    longest = max(results, key=lambda result: len(result[1]))[1]
    for same_weights, merges, last, evaluations in results:
        assert same_weights
        assert merges == longest[: len(merges)]
        assert last == results[0][2]
        assert evaluations == results[0][3] >= 4
        assert last[0][5]["rows"] == sum(uneven.BATCHES[:size]) * 64


@pytest.mark.parametrize("empty", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_a_rank_that_has_not_decided_gets_the_labels_of_the_others_and_says_so(tmp_path, empty):
    results = start.run("ranks.uneven:undecided", 2, tmp_path, empty)
    for first, summary, _, later, counters in results:
        assert first == results[0][0]
        seen = first[0][5]["rows"]  # those after the decision
        assert 30 * 64 <= seen < 40 * 64
        assert "2 ranks (these counters are of one), one of which had no rows" in " ".join(summary.split())
        assert later == results[0][3]
        assert later[0][5]["rows"] >= seen + (40 + 30) * 64
        assert counters == (2, 0, 0)
    assert "not decided yet" in results[empty][2]
    assert "not decided yet" not in results[1 - empty][2]


@pytest.mark.slow
def test_a_group_that_is_gone_is_one_error_and_no_rank_evaluates_alone(tmp_path):
    for merged, errors, alone, more in start.run("ranks.uneven:gone", 2, tmp_path):
        assert len(errors) == 5
        for error in errors:
            assert "expected a process group that exists, got one that is gone: call sync() before" in error
        assert (alone[0][0], alone[0][1]) == (2, 0)
        assert alone[0][3:] == merged[0][3:]
        assert more == 0
