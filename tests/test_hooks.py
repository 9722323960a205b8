"""What the taps record, and that they do nothing else."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from polar_monitor.hooks import Inert, Tap, rows_of
from polar_monitor.ring import Ring


def tapped(
    model: nn.Module, ring: Ring, side: str = "mean", modes: tuple[bool, ...] = (True,), **options: object
) -> Tap:
    tap = Tap(dict.fromkeys(modes, ring), None, side, None)
    model.register_forward_hook(tap)
    return tap


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


def test_in_place_changes_after_the_hook_are_not_seen() -> None:
    model, ring = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True)), Ring(256, False)
    tapped(model[0], ring)
    model(torch.randn(64, 3))
    assert rows(ring).min() < 0


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


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_counts_once(reentrant: bool) -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    body = nn.Sequential(layer, nn.ReLU())
    tapped(layer, ring)
    x = torch.randn(16, 3, requires_grad=True)
    checkpoint(body, x, use_reentrant=reentrant).sum().backward()
    assert ring.calls == 1


def test_modes_are_kept_apart() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring, modes=(True,))
    layer.eval()
    layer(torch.randn(16, 3))
    assert ring.calls == 0
    layer.train()
    with torch.inference_mode():
        layer(torch.randn(16, 3))
    assert len(rows(ring)) == 16


def test_low_precision_is_recorded_in_float32() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.randn(16, 3))
    assert output.dtype is torch.bfloat16
    assert ring.mantissa == 7
    assert np.array_equal(rows(ring), output.detach().float().numpy())


def test_what_is_not_a_real_forward_is_passed_over() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tap = tapped(layer, ring)
    torch.vmap(layer)(torch.randn(4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(layer, torch.randn(4, 3), check_trace=False)
    layer.to("meta")(torch.randn(4, 3, device="meta"))
    assert (ring.calls, tap.errors) == (0, 0)


def test_a_broken_reader_is_counted_and_training_goes_on() -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tap = Tap({True: ring}, lambda output: output["mean"], "mean", None)
    layer.register_forward_hook(tap)
    layer(torch.randn(4, 3)).sum().backward()
    assert tap.errors == 1
    assert isinstance(tap.failure, IndexError | TypeError)


def test_copies_carry_an_inert_hook(tmp_path: object) -> None:
    layer, ring = nn.Linear(3, 2), Ring(256, False)
    tapped(layer, ring)
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert [type(hook) for hook in copied._forward_hooks.values()] == [Inert]
        copied(torch.randn(4, 3))
    assert ring.calls == 0


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


@pytest.mark.slow
def test_compiled_forwards_are_recorded_with_one_graph() -> None:
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    layer, ring = nn.Linear(3, 2), Ring(512, False)
    ring.mean.prepare_traced(2, torch.device("cpu"))
    tapped(layer, ring)
    counter = CompileCounter()
    compiled = torch.compile(layer, backend=counter, fullgraph=True)
    outputs = torch.cat([compiled(torch.randn(16, 3)) for _ in range(12)])
    assert counter.frame_count == 1
    assert np.array_equal(rows(ring), outputs.detach().numpy())
    torch._dynamo.reset()
