"""The ring: which rows of the latents are kept, in which order and precision, and how the others are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from polar_monitor.arrays.layout import axes_of
from polar_monitor.arrays.places import MAX_ROWS_PER_INPUT
from polar_monitor.capture.output_rows import rows_of
from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.capture.tap import Tap


def tapped(model: nn.Module, ring: PairedRingBuffer, side: str = "mean") -> None:
    model.register_forward_hook(Tap({True: ring}, None, side, None))


def rows(ring: PairedRingBuffer) -> np.ndarray:
    batches = [drain.take() for drain in ring.requests(0)]
    return np.concatenate([batch.mean for batch in batches if batch is not None])


def test_every_row_is_recorded_whatever_the_batch_size() -> None:
    layer, ring = nn.Linear(3, 2), PairedRingBuffer(4096, False)
    tapped(layer, ring)
    outputs = [layer(torch.randn(n, 3)) for n in (16, 16, 7, 3, 16, 9, 5, 2, 11, 1)]
    assert np.array_equal(rows(ring), torch.cat(outputs).detach().numpy())
    assert ring.requests(0) == []


def test_a_full_ring_keeps_the_last_rows_and_counts_the_others() -> None:
    layer, ring = nn.Linear(3, 2), PairedRingBuffer(256, False)
    tapped(layer, ring)
    outputs = torch.cat([layer(torch.randn(100, 3)) for _ in range(5)]).detach().numpy()
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert batch.dropped == 500 - 256
    assert np.array_equal(np.sort(batch.mean, axis=0), np.sort(outputs[-256:], axis=0))


def test_a_batch_larger_than_the_ring_keeps_its_last_rows() -> None:
    layer, ring = nn.Linear(3, 2), PairedRingBuffer(256, False)
    tapped(layer, ring)
    output = layer(torch.randn(1000, 3)).detach().numpy()
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert (len(batch.mean), batch.dropped) == (256, 744)
    assert np.array_equal(np.sort(batch.mean, axis=0), np.sort(output[-256:], axis=0))


def test_a_mean_without_its_spread_does_not_shift_what_follows() -> None:
    mean, spread, ring = nn.Linear(3, 2), nn.Linear(3, 2), PairedRingBuffer(4096, True)
    tapped(mean, ring)
    tapped(spread, ring, "spread")
    for step in range(4):
        x = torch.full((8, 3), float(step))
        a, b = mean(x), spread(x)
        if step == 1:
            mean(x)
        ring.commit(0)
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert batch.spread is not None
    assert len(batch.mean) == len(batch.spread) == 24
    assert np.array_equal(batch.mean[-8:], a.detach().numpy())
    assert np.array_equal(batch.spread[-8:], b.detach().numpy())
    assert ring.misaligned == 16


Event = tuple[str, int, int, int]
"""Side, number of the call, rows, dimensions; a call of no dimensions is complex, which is refused."""


def events() -> st.SearchStrategy[list[list[Event]]]:
    """Steps of calls to two modules in any order; either may be refused or have other dimensions, one be left out.

    If each is left out once in a step, nothing tells whether what is left belongs together.
    """
    sizes = st.tuples(st.sampled_from([0, 1, 5, 90, 400]), st.sampled_from([0, 2, 2, 2, 2, 2, 2, 3]))
    calls = st.lists(st.tuples(sizes, st.sampled_from([*["both"] * 6, "alone", "apart"]), sizes), max_size=3)

    def ordered(drawn: list[Any], alone: str, means_first: bool) -> list[Event]:
        ordered_events = []
        for number, (own, which, other) in enumerate(drawn):
            for side, size in (("mean", own), ("spread", other if which == "apart" else own)):
                if which != "alone" or side == alone:
                    ordered_events.append((side, number, *size))
        return sorted(ordered_events, key=lambda event: event[0]) if means_first else ordered_events

    return st.lists(st.builds(ordered, calls, st.sampled_from(["mean", "spread"]), st.booleans()), max_size=12)


@given(steps=events(), reads=st.sets(st.integers(0, 11)))
def test_every_row_that_is_read_is_a_mean_and_a_spread_of_one_call_and_all_are_counted(
    steps: list[list[Event]], reads: set[int]
) -> None:
    """A row is marked with its step, call and place; the mean has the mark and the spread its negative."""
    ring = PairedRingBuffer(256, True)
    taps = {side: Tap({True: ring}, None, side, None) for side in ("mean", "spread")}
    module, sent, seen, dropped = nn.Identity(), 0, [], 0
    for step, calls in enumerate([*steps, []]):
        for side, number, n, dimensions in calls:
            mark = 1 + step * 1e4 + number * 1e3 + torch.arange(n, dtype=torch.float64)
            value = mark[:, None].expand(n, max(dimensions, 1)) * (1 if side == "mean" else -1)
            taken = taps[side].errors
            taps[side](module, (), value if dimensions else value.to(torch.complex128))
            sent += n if side == "mean" and taps[side].errors == taken else 0
        ring.commit(step)
        if step in reads or step == len(steps):
            for drain in ring.requests(step):
                batch = drain.take()
                assert batch is not None
                assert batch.spread is not None
                assert np.array_equal(batch.mean, -batch.spread)
                assert len(batch.mean) > 0
                assert (batch.mean == batch.mean[:, :1]).all()
                assert np.array_equal(batch.steps, batch.mean[:, 0] // 1e4)
                assert (np.diff(batch.steps) >= 0).all()
                seen += batch.mean[:, 0].tolist()
                dropped += batch.dropped
    assert len(seen) + dropped + ring.lost == sent
    assert len(set(seen)) == len(seen)


def test_every_row_keeps_its_step_where_the_oldest_are_overwritten() -> None:
    layer, ring = nn.Identity(), PairedRingBuffer(256, False)
    tapped(layer, ring)
    for step in (3, 4, 9, 10):
        for _ in range(step % 3 + 1):  # batches that are accumulated to one step
            layer(torch.full((60, 2), float(step)))
        ring.commit(step)
    layer(torch.full((7, 2), 10.0))
    (drain,) = ring.requests(10)  # asked for by hand: the open step has no number yet
    batch = drain.take()
    assert batch is not None
    assert (len(batch.steps), batch.dropped) == (256, 60 * 6 + 7 - 256)
    assert np.array_equal(batch.steps, batch.mean[:, 0])


def test_a_refused_mean_is_not_paired_with_the_spread_of_another_call() -> None:
    mean, spread, ring = nn.Identity(), nn.Identity(), PairedRingBuffer(256, True)
    tapped(mean, ring)
    tapped(spread, ring, "spread")
    first, second = torch.full((8, 2), 1.0), torch.full((8, 2), 2.0)
    for module, x in ((mean, first), (spread, first.to(torch.complex64)), (mean, second.to(torch.complex64))):
        module(x)
    spread(second)
    assert ring.requests(0) == []
    assert ring.lost == 8


def test_a_spread_of_other_dimensions_whose_mean_is_refused_leaves_nothing_unwritten() -> None:
    mean, spread, ring = nn.Identity(), nn.Identity(), PairedRingBuffer(256, True)
    tapped(mean, ring)
    tapped(spread, ring, "spread")
    for _ in range(3):
        mean(torch.ones(8, 2))
        spread(torch.ones(8, 2))
        ring.commit(0)
    mean(torch.ones(8, 3, dtype=torch.complex64))
    spread(torch.ones(8, 3))
    assert ring.requests(0) == []
    assert ring.lost == 24
    mean(torch.ones(5, 3))
    spread(torch.ones(5, 3))
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert batch.spread is not None
    assert np.array_equal(batch.mean, np.ones((5, 3)))
    assert np.array_equal(batch.spread, np.ones((5, 3)))


def test_a_copy_that_fails_half_way_leaves_no_row_without_its_partner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full ring, whose oldest rows of the mean are overwritten by the call that fails."""
    mean, spread, ring = nn.Identity(), nn.Identity(), PairedRingBuffer(256, True)
    tapped(mean, ring)
    tapped(spread, ring, "spread")
    for step in range(4):
        mean(torch.full((64, 2), 1.0 + step))
        spread(torch.full((64, 2), 1.0 + step))
        ring.commit(0)
    mean(torch.full((64, 2), 9.0))
    with monkeypatch.context() as patch:
        patch.setattr(Tensor, "copy_", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
        spread(torch.full((64, 2), 9.0))
    ring.commit(0)
    (drain,) = ring.requests(0)
    batch = drain.take()
    assert batch is not None
    assert np.array_equal(batch.mean, batch.spread)
    assert (len(batch.mean), batch.dropped, ring.lost) == (192, 64, 64)


def test_low_precision_is_recorded_in_float32() -> None:
    layer, ring = nn.Linear(3, 2), PairedRingBuffer(256, False)
    tapped(layer, ring)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.randn(16, 3))
    assert output.dtype is torch.bfloat16
    assert ring.mantissa == 7
    assert np.array_equal(rows(ring), output.detach().float().numpy())


@pytest.mark.parametrize("shape", [(5, 4, 6, 6), (5, 4, 2, 3, 3)])
def test_spatial_latents_have_a_dimension_a_channel(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    rows = rows_of(x, axes_of(None, x.dim()))
    assert rows.shape == (5, MAX_ROWS_PER_INPUT, 4)
    for number in range(5):
        all_places = x[number].flatten(1).T
        assert all((all_places == row).all(1).any() for row in rows[number])


def test_later_forwards_take_other_places() -> None:
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    seen = torch.cat([rows_of(x, axes_of(None, x.dim()), rows).flatten() for rows in range(0, 256, 4)])
    assert len(seen.unique()) == 64
    assert torch.equal(rows_of(x, axes_of(None, x.dim()), torch.tensor(28)), rows_of(x, axes_of(None, x.dim()), 28))


def test_sequences_have_a_dimension_a_feature_unless_stated() -> None:
    x = torch.randn(5, 3, 4)
    assert torch.equal(rows_of(x, axes_of(None, x.dim())), x)
    assert torch.equal(rows_of(x, "ndt"), x.transpose(1, 2))
