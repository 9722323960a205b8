"""Parts of a classification: merged in any order they give what `classify` gives on all inputs, to the last bit."""

import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polar_monitor
from polar_monitor.errors import PolarMonitorError, PolarMonitorWarning
from polar_monitor.offline import Partial, subset


def latents(n, dimensions=3, seed=0):
    rng = np.random.default_rng(seed)
    mean = (rng.normal(size=(n, dimensions)) * [1.0, 0.01, 0.5][:dimensions]).astype(np.float32)
    return mean, np.broadcast_to(np.float32([0.02, 1.0, 0.3][:dimensions]), mean.shape).copy()


def same(one, other):
    """True if two regimes agree in every bit of every number."""
    a, b = one.snapshot.to_dict(), other.snapshot.to_dict()
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(np.asarray(a[name]), np.asarray(b[name]), err_msg=name)
    drawn = one.snapshot.histograms, other.snapshot.histograms
    for left, right in zip(*drawn, strict=True):
        assert (left.left, left.width) == (right.left, right.width)
        np.testing.assert_array_equal(left.counts, right.counts)
    assert (one.labels, one.verdict, one.reasons) == (other.labels, other.verdict, other.reasons)


@pytest.mark.parametrize("max_rows", [2**16, 700])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_split_and_any_order_give_the_bits_of_one_process(max_rows, data):
    mean, variance = latents(2000)
    mean[17, 1] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subset, "MAX_ROWS", max_rows)
        cuts = sorted(data.draw(st.sets(st.integers(1, 1999), max_size=6)))
        pieces = list(zip([0, *cuts], [*cuts, 2000], strict=True))
        parts = [Partial() for _ in range(data.draw(st.integers(1, 4)))]
        for start, stop in data.draw(st.permutations(pieces)):
            part = parts[data.draw(st.integers(0, len(parts) - 1))]
            part.update(mean[start:stop], var=variance[start:stop], first=start)
        parts = data.draw(st.permutations(parts))
        regime = pickle.loads(pickle.dumps(reduce(Partial.merge, parts, Partial()))).result()
        same(regime, polar_monitor.classify(mean, var=variance))
        assert regime.snapshot.rows == 2000
        assert regime.snapshot.non_finite[1] == 1


def test_rows_that_are_dealt_out_in_turn_are_merged_by_their_numbers(monkeypatch):
    monkeypatch.setattr(subset, "MAX_ROWS", 600)
    mean, variance = latents(4000)
    parts = [Partial().update(mean[r::4], var=variance[r::4], first=np.arange(r, 4000, 4)) for r in range(4)]
    same(parts[2].merge(parts[0], parts[3], parts[1]).result(), polar_monitor.classify(mean, var=variance))


def test_places_of_maps_are_chosen_by_the_number_of_the_input():
    maps = np.random.default_rng(1).normal(size=(600, 2, 4, 4)).astype(np.float32)
    parts = [Partial().update(maps[i::3], first=np.arange(i, 600, 3)) for i in (2, 0, 1)]
    same(parts[0].merge(*parts[1:]).result(), polar_monitor.classify(maps))


def test_masks_layouts_and_conditional_priors_are_those_of_classify():
    rng = np.random.default_rng(2)
    tokens, spread = rng.normal(size=(5, 600, 2)).astype(np.float32), np.full((5, 600, 2), 0.1, np.float32)
    mask = rng.random((5, 600)) < 0.8
    mask[0] = True
    prior = rng.normal(size=tokens.shape).astype(np.float32), np.ones_like(tokens)
    one = polar_monitor.classify(tokens, var=spread, layout="tnd", mask=mask, prior=prior)
    parts = []
    for start in (300, 0):
        cut = np.s_[:, start : start + 300]
        sides = tuple(side[cut] for side in prior)
        part = Partial(layout="tnd").update(tokens[cut], var=spread[cut], mask=mask[cut], prior=sides, first=start)
        parts.append(part)
    same(parts[0].merge(parts[1]).result(), one)


def test_a_partial_is_the_same_after_it_was_merged_into_another_and_goes_on():
    mean, variance = latents(1200)
    one = Partial().update(mean[:600], var=variance[:600])
    before = pickle.dumps(one)
    Partial().update(mean[600:], var=variance[600:], first=600).merge(one)
    assert pickle.dumps(one) == before
    same(one.update(mean[600:], var=variance[600:]).result(), polar_monitor.classify(mean, var=variance))


def test_the_memory_of_the_caller_may_change_after_an_update():
    mean, variance = latents(1000)
    buffer, part = mean[:500].copy(), Partial()
    part.update(buffer, var=variance[:500])
    buffer[:] = mean[500:]
    part.update(buffer, var=variance[500:])
    same(part.result(), polar_monitor.classify(mean, var=variance))


def test_an_input_that_comes_twice_is_an_error_that_names_it():
    mean, variance = latents(600)
    twice = Partial().update(mean, var=variance).merge(Partial().update(mean[:10], var=variance[:10]))
    with pytest.raises(PolarMonitorError, match=r"each input once, but number 0 came twice: .*first="):
        twice.result()


def test_partials_that_do_not_fit_are_refused_and_both_are_named():
    mean, variance = latents(600)
    part = Partial().update(mean, var=variance)
    with pytest.raises(PolarMonitorError, match="expected 3 dimensions with a variance, as so far, got 2 dimensions"):
        part.merge(Partial().update(mean[:, :2], var=variance[:, :2], first=600))
    with pytest.raises(PolarMonitorError, match="got 3 dimensions without a variance in these rows"):
        part.update(mean)
    with pytest.raises(PolarMonitorError, match=r"resolution=None\) and Partial\(.*resolution=0\.5"):
        part.merge(Partial(resolution=0.5))
    with pytest.raises(PolarMonitorError, match="expected a Partial, got dict"):
        part.merge({})
    assert part.rows == 600


def test_bad_arguments_and_other_versions_are_one_clear_error(monkeypatch):
    mean, variance = latents(600)
    with pytest.raises(PolarMonitorError, match="expected at least one row, got none: call update"):
        Partial().result()
    for first in (-1, 0.5, np.zeros((2, 2), int)):
        with pytest.raises(PolarMonitorError, match="first: expected a number of 0 or more"):
            Partial().update(mean, var=variance, first=first)
    with pytest.raises(PolarMonitorError, match="got 3 numbers for 600 inputs"):
        Partial().update(mean, var=variance, first=np.arange(3))
    with pytest.raises(PolarMonitorError, match=r"write Partial\(prior=…\)"):
        Partial().update(mean, var=variance, prior=(0.0, 1.0))
    stored = pickle.dumps(Partial().update(mean, var=variance))
    monkeypatch.setattr("polar_monitor.offline.partial.VERSION", 2)
    with pytest.raises(PolarMonitorError, match="expected a state of version 2, got 1"):
        pickle.loads(stored)


def test_a_spread_in_another_unit_is_warned_of_as_by_classify():
    mean, variance = latents(600)
    with pytest.warns(PolarMonitorWarning, match="var"):
        polar_monitor.classify(mean, logvar=variance)
    with pytest.warns(PolarMonitorWarning, match="var"):
        Partial().update(mean, logvar=variance).result()


def test_a_decoder_takes_rows_and_the_variance_of_the_data():
    partial, codes = Partial(), np.random.default_rng(0).normal(size=(1000, 2))
    partial.update(codes)

    def decode(z):
        return 1e-3 * z

    assert partial.result(decoder=decode).count("active") == 2
    assert partial.result(decoder=decode, data_variance=1.0).verdict == "collapsed"
    with pytest.raises(polar_monitor.PolarMonitorError, match="got chunks or a list"):
        Partial().update(np.zeros((600, 3, 4, 4))).result(decoder=decode)
