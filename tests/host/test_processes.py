"""However a run ends, every evaluation that was finished can be read in both logs, once.

No thread of ours is started, a child of the process records and writes nothing, and kernels run in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from models import Vae, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from watching import Memory, watched

import polar_monitor
from polar_monitor.sinks.jsonl import read_jsonl

STEPS = [10, 20, 30, 40]
ENDS = {
    "normal": ("pass", 0),
    "detached": ("monitor.detach()", 0),
    "exception": ("raise RuntimeError('in the training loop')", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT)", -2),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    "os._exit": ("os._exit(5)", 5),
}
"""What ends the run, and its exit code."""
RUN = """
import gc, os, signal, sys
sys.path.insert(0, sys.argv[2])
import torch
import polar_monitor, polar_monitor.statistics.stream, tensorboard.compat.proto.event_pb2
from models import Vae, train

# Loading torch takes seconds, so each run is a fork of one process that has done no more than that.
parameter = torch.nn.Parameter(torch.zeros(1))
parameter.grad = torch.zeros(1)
torch.optim.Adam([parameter]).step()
gc.freeze()  # and its end, in each of them, would take seconds too
ends = {ends!r}
codes = dict.fromkeys([*ends, "workers", "fork"])
for end in codes:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        break
    codes[end] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
else:
    print(codes)
    raise SystemExit

model = Vae()
monitor = polar_monitor.attach(model, log_dir=os.path.join(sys.argv[1], end), every=10, max_overhead=1.0)
train(model, 20)

class Encoded(torch.utils.data.Dataset):
    # closes over the watched model, so that a worker has the monitor too
    def __len__(self):
        return 8

    def __getitem__(self, index):
        with torch.no_grad():
            return model(torch.zeros(1, 12))[1][0]

if end == "workers":
    for _ in range(2):
        assert len(list(torch.utils.data.DataLoader(Encoded(), num_workers=1))) == 8
elif end == "fork":
    child = os.fork()
    if not child:
        for _ in range(30):
            monitor.step()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
train(model, 20, seed=1)
exec(ends.get(end, ("pass",))[0])
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int], str]:
    """The folder of all runs, their exit codes, and what they wrote to stderr."""
    folder = tmp_path_factory.mktemp("ends")
    command = [
        sys.executable,
        "-c",
        RUN.replace("{ends!r}", repr(ENDS)),
        str(folder),
        str(Path(__file__).parents[1] / "helpers"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=180, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return folder, eval(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("end", [*ENDS, "workers", "fork"])
def test_every_evaluation_can_be_read(end: str, runs: tuple[Path, dict[str, int], str]) -> None:
    folder, codes, said = runs
    assert codes[end] == ENDS.get(end, ("", 0))[1], said
    assert [record.step for record in read_jsonl(folder / end / "polar.jsonl", strict=True)] == STEPS
    events = EventAccumulator(str(folder / end), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("polar/active")] == STEPS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_end_of_a_run_is_quiet(runs: tuple[Path, dict[str, int], str]) -> None:
    _, _, said = runs
    assert said.count("Traceback") == 2, said
    assert said.count("PolarMonitorWarning: ") == said.count("forked after attach()") == 1  # the steps in the fork


# -- threads ----------------------------------------------------------------------------------------------------------


def threads() -> set[int]:
    """All threads of this process, those that Python knows nothing of too."""
    tasks = Path("/proc/self/task")
    known = {thread.native_id or 0 for thread in threading.enumerate()}
    return {int(task.name) for task in tasks.iterdir()} if tasks.exists() else known


def test_no_thread_of_ours_is_started(tmp_path: Path) -> None:
    train(Vae(), 2)  # torch's own
    before = threads()
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path, modes=("train", "eval"))
    seen = threads()
    for _ in range(3):
        train(model, 10)
        model.eval()
        model(torch.randn(64, 12))
        model.train()
        seen |= threads()
    monitor.state_dict()
    monitor.detach()
    assert monitor.health().evaluations > 0
    assert (seen | threads()) - before == set()


def test_a_thread_that_runs_the_model_beside_the_training_breaks_nothing() -> None:
    model, failures, stop = Vae(), [], threading.Event()
    monitor = watched(model, sinks=(sink := Memory(),), strict=False)

    def serve() -> None:
        try:
            while not stop.is_set():
                with torch.no_grad():
                    model(torch.randn(7, 12))
        except Exception as failure:
            failures.append(failure)

    beside = threading.Thread(target=serve)
    beside.start()
    try:
        train(model, 100)
    finally:
        stop.set()
        beside.join()
    assert failures == []
    assert len(sink.records) == 10
    assert monitor.health().rows_seen + monitor.health().rows_dropped >= 64


# -- forks ------------------------------------------------------------------------------------------------------------


class Encoded(torch.utils.data.Dataset[torch.Tensor]):
    """Closes over the watched model, and runs a kernel of its own in the worker."""

    def __init__(self, model: Vae) -> None:
        self.model = model

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        with torch.no_grad():
            rows = self.model(torch.randn(256, 12))[1]
        entropy = polar_monitor.classify(rows).labels
        return torch.tensor([len(entropy), threading.active_count()])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine of one core
def test_workers_that_close_over_the_model_are_no_part_of_the_run(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path)
    train(model, 15)
    before = monitor.health()
    loader = torch.utils.data.DataLoader(Encoded(model), num_workers=2, timeout=60, multiprocessing_context="fork")
    assert np.unique(torch.cat(list(loader))[:, 0]).tolist() == [4]
    after = monitor.health()
    assert (after.rows_seen, after.steps, after.calls) == (before.rows_seen, before.steps, before.calls)
    train(model, 15)
    monitor.detach()
    assert monitor.health().rows_seen == 64 * 30
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl", strict=True)] == [10, 20, 30]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_a_child_every_method_does_nothing(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path)
    train(model, 10)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    child = os.fork()
    if not child:
        code = 1
        try:
            train(model, 30)
            assert monitor.evaluate() == ()
            assert monitor.health().steps == 10
            monitor.summary()
            monitor.detach()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    train(model, 10)
    assert [record.step for record in read_jsonl(tmp_path / "polar.jsonl")] == [10, 20]
