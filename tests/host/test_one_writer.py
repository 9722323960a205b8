"""One folder, one writer: the lock ends with its process, and a log that is used again says so."""

from __future__ import annotations

import gc
import multiprocessing
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from models import Vae, train
from torch import nn
from watching import warned, watched

import polar_monitor
from polar_monitor import PolarMonitorError
from polar_monitor.cli import main
from polar_monitor.sinks._lock import lock_of
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl

HELPERS = str(Path(__file__).parents[1] / "helpers")
HOLDS = """
import sys, time
sys.path.insert(0, sys.argv[2])
import polar_monitor
from models import Vae, train
model = Vae()
polar_monitor.attach(model, log_dir=sys.argv[1], every=10, max_overhead=1.0)
train(model, 10)
print("holds", flush=True)
time.sleep(120)
"""


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def test_a_second_process_gets_a_folder_of_its_own_and_the_lock_dies_with_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLDS, str(folder), HELPERS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        try:
            assert first.stdout.readline() == "holds\n"
            model = Vae()
            monitor = watched(model, sinks=None, log_dir=folder)
            with warned() as said:
                train(model, 30)
            sink = JsonlSink(folder / "polar.jsonl")
            with pytest.raises(PolarMonitorError, match="another process writes to"):
                sink.write(read_jsonl(folder / "polar.jsonl")[0])
        finally:
            first.kill()
    assert said == [
        f"polar_monitor: another process writes to {str(folder)!r}, so this run is written to {str(folder) + '_1'!r}; "
        "pass a log_dir= of its own"
    ]
    assert monitor.log_dir == tmp_path / "run_1"
    monitor.detach()
    assert [record.step for record in read_jsonl(tmp_path / "run_1" / "polar.jsonl", strict=True)] == [10, 20, 30]
    assert lines(folder / "polar.jsonl") == 1
    assert lock_of(folder / "polar.jsonl") is not None  # the first was killed


def test_monitors_of_one_process_share_a_folder(tmp_path: Path) -> None:
    models = [Vae() for _ in range(3)]
    for number, model in enumerate(models):
        watched(model, sinks=None, log_dir=tmp_path, name=f"latent{number}")
    with warned() as said:
        for model in models:
            train(model, 20)
    assert not said
    assert lines(tmp_path / "polar.jsonl") == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    lock = lock_of(tmp_path / "log")
    assert lock is not None
    descriptor = lock.descriptor
    child = os.fork()
    if not child:
        code = 1
        try:
            os.fstat(descriptor)
        except OSError:
            code = 0 if lock_of(tmp_path / "log") is None else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock_of(tmp_path / "log") is lock


def work(rank: int, port: int, folder: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Vae()
    polar_monitor.attach(model, log_dir=folder, every=10, max_overhead=1.0)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    train(nn.parallel.DistributedDataParallel(model), 30, batch=16 * (rank + 1))
    dist.barrier()
    dist.destroy_process_group()


def test_ranks_that_attach_before_they_know_their_rank_write_one_log(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    ranks = [spawn.Process(target=work, args=(rank, port, str(tmp_path / "run"))) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    assert [process.exitcode for process in ranks] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [record.observed for record in read_jsonl(tmp_path / "run" / "polar.jsonl", strict=True)] == [160] * 3
    assert lines(tmp_path / "run" / "polar.jsonl") == 3


def run(folder: Path, steps: int, state: Any = None) -> polar_monitor.PolarMonitor:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=folder, strict=False)
    if state is not None:
        monitor.load_state_dict(state)
    train(model, steps)
    monitor.detach()
    return monitor


def test_a_folder_that_is_used_again_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warned() as said:
        first = run(tmp_path, 40)
    assert not said
    with warned() as said:
        second = run(tmp_path, 20)
    assert len(said) == 1
    assert "has an earlier run, and this one is written after it" in said[0]
    assert "Pass a log_dir= of its own, or go on with monitor.load_state_dict()" in said[0]
    assert (first.health().log_reused, second.health().log_reused) == (False, True)
    assert main(["replay", str(tmp_path)]) == 0
    done = capsys.readouterr()
    assert done.out.startswith("2 evaluations")
    assert "4 evaluations were written again by a later run in this log" in done.err


def test_a_run_that_goes_on_is_no_other_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warned() as said:
        state = run(tmp_path, 40).state_dict()
        assert not run(tmp_path, 20, state).health().log_reused
    assert not said
    main(["replay", str(tmp_path)])
    done = capsys.readouterr()
    assert done.out.startswith("6 evaluations")
    assert not done.err


CELL = """
model = Vae()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
monitor = polar_monitor.attach(model, log_dir=folder, every=10, max_overhead=1.0)
for _ in range(20):
    x = torch.randn(64, 12)
    optimizer.zero_grad()
    (model(x)[0] - x).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.filterwarnings("ignore::polar_monitor.PolarMonitorWarning")
@pytest.mark.parametrize("keep", [False, True])
def test_a_cell_that_is_run_again_trains_again(keep: bool, tmp_path: Path) -> None:
    """With a reference cycle, as frames and callbacks make, the model of before is not gone at once."""
    names: dict[str, Any] = {"Vae": Vae, "torch": torch, "polar_monitor": polar_monitor, "folder": str(tmp_path)}
    for number in (1, 2, 3):
        gc.disable()
        try:
            exec(CELL + ("model.itself = [model]\n" if keep else ""), names)
        finally:
            gc.enable()
        assert lines(tmp_path / "polar.jsonl") == 2 * number
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20]


def test_a_living_model_keeps_its_folder_and_the_error_says_how_to_end_it(tmp_path: Path) -> None:
    model = Vae()
    watched(model, sinks=None, log_dir=tmp_path)
    with pytest.raises(PolarMonitorError, match="its model is still there: call detach\\(\\) of that monitor first"):
        watched(Vae(), sinks=None, log_dir=tmp_path)
    assert model is not None
