"""The ring and the rows: what is kept of the latents that went by, in which order and precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from polar_monitor.hooks import Tap, rows_of
from polar_monitor.ring import Ring


def tapped(model: nn.Module, ring: Ring, side: str = "mean") -> None:
    model.register_forward_hook(Tap({True: ring}, None, side, None))


def rows(ring: Ring) -> np.ndarray:
    batches = [drain.take() for drain in ring.requests()]
    return np.concatenate([batch.mean for batch in batches if batch is not None])


def test_every_row_is_recorded_whatever_the_batch_size() -> None:
    layer, ring = nn.Linear(3, 2), Ring(4096, False)
    tapped(layer, ring)
    outputs = [layer(torch.randn(n, 3)) for n in (16, 16, 7, 3, 16, 9, 5, 2, 11, 1)]
    assert np.array_equal(rows(ring), torch.cat(outputs).detach().numpy())
    assert ring.requests() == []


def test_a_full_ring_keeps_the_last_rows_and_counts_the_others() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring)
    outputs = torch.cat([layer(torch.randn(100, 3)) for _ in range(5)]).detach().numpy()
    (drain,) = ring.requests()
    batch = drain.take()
    assert batch is not None
    assert batch.dropped == 500 - 256
    assert np.array_equal(np.sort(batch.mean, axis=0), np.sort(outputs[-256:], axis=0))


def test_a_batch_larger_than_the_ring_keeps_its_last_rows() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring)
    output = layer(torch.randn(1000, 3)).detach().numpy()
    (drain,) = ring.requests()
    batch = drain.take()
    assert batch is not None
    assert (len(batch.mean), batch.dropped) == (256, 744)
    assert np.array_equal(np.sort(batch.mean, axis=0), np.sort(output[-256:], axis=0))


def test_a_mean_without_its_spread_does_not_shift_what_follows() -> None:
    mean, spread, ring = nn.Linear(3, 2), nn.Linear(3, 2), Ring(4096, True)
    tapped(mean, ring)
    tapped(spread, ring, "spread")
    for step in range(4):
        x = torch.full((8, 3), float(step))
        a, b = mean(x), spread(x)
        if step == 1:
            mean(x)
        ring.commit()
    (drain,) = ring.requests()
    batch = drain.take()
    assert batch is not None
    assert batch.spread is not None
    assert len(batch.mean) == len(batch.spread) == 24
    assert np.array_equal(batch.mean[-8:], a.detach().numpy())
    assert np.array_equal(batch.spread[-8:], b.detach().numpy())
    assert ring.misaligned == 16


def test_low_precision_is_recorded_in_float32() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.randn(16, 3))
    assert output.dtype is torch.bfloat16
    assert ring.mantissa == 7
    assert np.array_equal(rows(ring), output.detach().float().numpy())


@pytest.mark.parametrize("shape", [(5, 4, 6, 6), (5, 4, 2, 3, 3)])
def test_spatial_latents_have_a_dimension_a_channel(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    rows = rows_of(x, None)
    assert rows.shape[0] == 5
    assert rows.shape[1] <= 16
    assert rows.shape[2] == 4
    assert torch.equal(rows[:, 0], x.flatten(2)[:, :, 0])


def test_sequences_have_a_dimension_a_feature_unless_told() -> None:
    x = torch.randn(5, 7, 4)
    assert torch.equal(rows_of(x, None), x)
    assert torch.equal(rows_of(x, True), x.transpose(1, 2))
