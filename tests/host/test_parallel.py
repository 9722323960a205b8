"""Wrapped and sharded models: the same names, each row counted once on its rank, no collective of ours."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from models import Vae, train
from torch import nn
from watching import watched

from polar_monitor import PolarMonitorError

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="needs gloo")

STEPS, BATCH = 6, 64


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port()}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


WRAPS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "nothing": lambda model: model,
    "DDP": nn.parallel.DistributedDataParallel,
    "compiled": lambda model: torch.compile(model, backend="eager"),
    "compiled DDP": lambda model: torch.compile(nn.parallel.DistributedDataParallel(model), backend="eager"),
    "DDP of compiled": lambda model: nn.parallel.DistributedDataParallel(torch.compile(model, backend="eager")),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("first", ["attach", "wrap"])
@pytest.mark.usefixtures("group")
def test_a_wrapper_changes_no_name_and_no_count(wrap: Callable[[nn.Module], nn.Module], first: str) -> None:
    torch._dynamo.reset()
    model = Vae()
    wrapped = wrap(model) if first == "wrap" else model
    monitor = watched(wrapped, every=STEPS)
    if first == "attach":
        wrapped = wrap(model)
    assert "mean from 'fc_mu', logvar from 'fc_logvar'" in monitor.explain()
    train(wrapped, STEPS, optimizer=torch.optim.SGD(wrapped.parameters(), 0.01))
    health = monitor.health()
    assert (health.calls, health.rows_seen, health.errors) == (STEPS, STEPS * BATCH, 0)
    torch._dynamo.reset()


def test_data_parallel_is_refused_with_advice() -> None:
    with pytest.raises(PolarMonitorError, match=r"DataParallel, whose replicas share hooks.*DistributedDataParallel"):
        watched(nn.DataParallel(Vae()))


def ddp(model: Vae) -> tuple[Any, torch.optim.Optimizer]:
    wrapped = nn.parallel.DistributedDataParallel(model)
    return wrapped, torch.optim.SGD(wrapped.parameters(), 0.01)


def fsdp(model: Vae) -> tuple[Any, torch.optim.Optimizer]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh, policy = init_device_mesh("cpu", (2,)), MixedPrecisionPolicy(param_dtype=torch.bfloat16)
    for layer in (model.fc_mu, model.fc_logvar, model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    return model, torch.optim.SGD(model.parameters(), 0.01)


@contextmanager
def without_collectives() -> Iterator[None]:
    """In which a collective that is called by way of torch.distributed fails, as one of ours would be."""
    names = ("all_reduce", "all_gather", "all_gather_object", "broadcast", "reduce", "gather", "scatter", "barrier")
    kept = {name: getattr(dist, name) for name in names}
    for name in names:
        setattr(dist, name, None)
    yield
    for name, function in kept.items():
        setattr(dist, name, function)


def counted(rank: int, shard: Callable[[Vae], tuple[Any, torch.optim.Optimizer]], attach_first: bool) -> list[int]:
    torch.manual_seed(0)
    model = Vae()
    monitor = watched(model, every=STEPS) if attach_first else None
    wrapped, optimizer = shard(model)
    monitor = monitor or watched(wrapped, every=STEPS)
    with without_collectives():
        train(wrapped, STEPS, batch=BATCH + rank, seed=rank, optimizer=optimizer)
    health, snapshot = monitor.health(), monitor.snapshot()
    assert snapshot is not None
    return [health.steps, health.calls, health.rows_seen, health.errors, snapshot.dimensions]


def on_a_rank(rank: int, at: int, answers: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{at}", rank=rank, world_size=2)
    answers.put((rank, [counted(rank, shard, first) for shard in (ddp, fsdp) for first in (True, False)]))
    dist.destroy_process_group()


@pytest.mark.slow
def test_every_rank_counts_its_own_rows_under_ddp_and_fsdp() -> None:
    """Batches differ between the ranks; attached before and after the model is wrapped or sharded."""
    answers = mp.get_context("spawn").SimpleQueue()
    mp.spawn(on_a_rank, (port(), answers), nprocs=2)
    said = dict(answers.get() for _ in range(2))
    for rank in (0, 1):
        assert said[rank] == [[STEPS, STEPS, STEPS * (BATCH + rank), 0, 4]] * 4
