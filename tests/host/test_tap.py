"""What a hook of ours does in the host's forward: it copies rows, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import nn
from watching import stepped, warned, watched

from polar_monitor.arrays.places import taken_of
from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.capture.tap import Tap


def tapped(module: nn.Module, rows: int = 256, reader: Any = None, side: str = "mean") -> tuple[PairedRingBuffer, Tap]:
    ring = PairedRingBuffer(rows, side == "both")
    tap = Tap({True: ring}, reader, side, None)
    module.register_forward_hook(tap)
    return ring, tap


def recorded(ring: PairedRingBuffer) -> np.ndarray:
    batches = [drain.take() for drain in ring.requests(0)]
    return np.concatenate([batch.mean for batch in batches if batch is not None])


def fails(output: Any) -> Any:
    raise KeyError("mine")


OUTPUTS: dict[str, Any] = {
    "a tensor": torch.zeros(3, 2),
    "no row": torch.zeros(0, 2),
    "one value": torch.zeros(()),
    "no tensor": "text",
    "nothing": None,
    "a sparse tensor": torch.eye(3).to_sparse(),
    "complex": torch.zeros(3, 2, dtype=torch.complex64),
    "meta": torch.zeros(3, 2, device="meta"),
    "a pair": (torch.zeros(3, 2), torch.zeros(3, 2)),
    "an unlike pair": (torch.zeros(3, 2), torch.zeros(2, 2)),
}


@pytest.mark.parametrize("reader", [None, fails], ids=["read", "failing reader"])
@pytest.mark.parametrize("side", ["mean", "spread", "both"])
@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_it_returns_none_and_raises_nothing_on_every_path(output: Any, side: str, reader: Any) -> None:
    module = nn.Identity()
    for training in (True, False):
        _, tap = tapped(module.train(training), reader=reader, side=side)
        assert tap(module, (), output) is None
        tap.muted = True
        assert tap(module, (), output) is None


def test_lengths_may_change_at_every_call() -> None:
    """Sequences of one to nine places in turn: no row is lost, and each sequence stays one input."""
    model = nn.Sequential(nn.Conv1d(1, 3, 1))
    monitor = watched(model, mean="0", every=20, strict=False)
    lengths = [1, 2, 3, 4, 9]
    stepped(model, 40, lambda step: [model(torch.randn(40, 1, length)) for length in lengths])
    health, snapshot = monitor.health(), monitor.snapshot()
    assert (health.errors, health.rows_dropped) == (0, 0)
    assert health.rows_seen == 40 * health.calls // 5 * sum(map(taken_of, lengths))
    assert snapshot is not None
    assert snapshot.independent == pytest.approx(snapshot.n * len(lengths) / sum(map(taken_of, lengths)), rel=0.02)


def test_a_broken_reader_is_counted_and_training_goes_on() -> None:
    model = Vae()
    monitor = watched(model, mean=lambda output: output["mean"], strict=False)
    with warned():
        train(model, 20)
    assert monitor.health().errors == 20
    assert "TypeError" in monitor.health().last_error


def test_strict_raises() -> None:
    model = Vae()
    watched(model, mean=lambda output: output["mean"])
    with pytest.raises(TypeError):
        train(model, 1)


def test_what_is_changed_in_place_afterwards_is_not_seen() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True))
    ring, _ = tapped(model[0])
    model(torch.randn(64, 3))
    assert recorded(ring).min() < 0


def test_a_hook_that_comes_later_changes_what_the_model_uses_and_not_what_is_seen() -> None:
    """Attach last; this is documented."""
    layer = nn.Linear(3, 2)
    before = layer(x := torch.randn(8, 3)).detach().numpy()
    ring, _ = tapped(layer)
    layer.register_forward_hook(lambda module, args, output: output * 0)
    assert not layer(x).any()
    assert np.array_equal(recorded(ring), before)


def test_a_hook_that_came_before_is_seen() -> None:
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda module, args, output: output * 0)
    ring, _ = tapped(layer)
    layer(torch.randn(8, 3))
    assert not recorded(ring).any()


def test_rows_are_copied_and_never_held() -> None:
    """Nothing of the graph and no storage of the model's stays alive: the output dies with its last user."""
    layer = nn.Linear(3, 2)
    ring, _ = tapped(layer)
    for _ in range(3):
        output = layer(torch.randn(64, 3))
    storage = ring.mean.storage
    assert storage is not None
    assert storage.untyped_storage().data_ptr() != output.untyped_storage().data_ptr()
    assert storage.grad_fn is None
    assert not storage.requires_grad
