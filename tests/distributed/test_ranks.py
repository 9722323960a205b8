"""Devices of the collectives: the CPU wherever a backend takes it."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from polar_monitor.distributed.ranks import Ranks, device_of, is_shared


@pytest.mark.parametrize(
    ("backend", "device"),
    [
        ("gloo", "cpu"), ("mpi", "cpu"), ("undefined", "cpu"), ("cpu:gloo,cuda:nccl", "cpu"),
        ("nccl", "cuda:3"), ("cuda:nccl", "cuda:3"), ("xccl", "cuda:3"),
    ],
)  # fmt: skip
def test_a_vector_lies_where_the_backend_takes_it(backend, device, monkeypatch):
    monkeypatch.setattr(dist, "get_backend", lambda group: backend)
    assert device_of(SimpleNamespace(bound_device_id=torch.device("cuda:3"))) == torch.device(device)


def test_a_backend_without_the_cpu_takes_the_current_device(monkeypatch):
    monkeypatch.setattr(dist, "get_backend", lambda group: "nccl")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert device_of(SimpleNamespace(bound_device_id=None)) == torch.device("cuda:1")


def test_without_a_group_nothing_is_shared():
    assert not is_shared()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nccl_sums_exactly(tmp_path):
    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        big = torch.tensor([2**62 + 1, -3], dtype=torch.int64).numpy()
        assert Ranks().sum(big).tolist() == [2**62 + 1, -3]
    finally:
        dist.destroy_process_group()
