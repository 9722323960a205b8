"""On CUDA: no synchronisation, no memory that grows, rows of captured graphs and of models that moved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from models import Vae, vae_loss
from torch import nn
from watching import watched

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture
def model() -> Iterator[Vae]:
    yield Vae().cuda()
    torch.cuda.set_sync_debug_mode("default")


def train(model: nn.Module, steps: int, optimizer: torch.optim.Optimizer) -> None:
    x = torch.randn(64, 12, device="cuda")
    for _ in range(steps):
        optimizer.zero_grad()
        vae_loss(model(x), x).backward()
        optimizer.step()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_training_step_never_waits_for_the_device(model: Vae, compiled: bool) -> None:
    """Evaluations included: what they read is copied without a wait and taken at a later step."""
    torch._dynamo.reset()
    monitor = watched(model, every=5)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    forward = torch.compile(model, backend="aot_eager") if compiled else model
    train(forward, 20, optimizer)  # what is made once, and the first compilation
    torch.cuda.set_sync_debug_mode("error")
    train(forward, 100, optimizer)
    torch.cuda.set_sync_debug_mode("default")
    monitor.evaluate()
    health = monitor.health()
    assert health.errors == 0
    assert health.evaluations > 3
    assert health.rows_seen + health.rows_dropped == 64 * health.calls


def test_no_memory_of_the_device_is_held(model: Vae) -> None:
    watched(model, every=10)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    train(model, 50, optimizer)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    train(model, 500, optimizer)
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() == before


def test_the_replays_of_a_captured_graph_do_not_break(model: Vae) -> None:
    """The hook runs at capture alone. Replays write the captured rows' place again; counts stay those of the hook."""
    monitor = watched(model, every=1000)
    x = torch.randn(64, 12, device="cuda")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = model(x)
    for _ in range(10):
        graph.replay()
    torch.cuda.synchronize()
    assert output[1].isfinite().all()
    assert monitor.health().errors == 0
    assert monitor.health().calls == 4


def test_a_model_that_moves_after_it_was_attached_is_watched() -> None:
    moved = Vae()
    monitor = watched(moved, every=10)
    moved.cuda()
    train(moved, 10, torch.optim.SGD(moved.parameters(), 0.01))
    monitor.evaluate()
    assert (monitor.health().rows_seen, monitor.health().errors) == (640, 0)


def test_a_reconstruction_on_the_device_is_told_without_a_wait(model: Vae) -> None:
    monitor = watched(model, every=5)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    train(model, 20, optimizer)
    torch.cuda.set_sync_debug_mode("error")
    for _ in range(20):
        monitor.log(beta=0.5, reconstruction=torch.full((), 3.0, device="cuda"))
        train(model, 1, optimizer)
    torch.cuda.set_sync_debug_mode("default")
    (evaluation,) = monitor.evaluate() or monitor.evaluate()
    assert evaluation.context.reconstruction in (None, 3.0)
    monitor.log(reconstruction=torch.full((), 4.0, device="cuda"))
    assert monitor.state_dict()["training_context"]["sum"] == pytest.approx(4.0)
