"""However a run ends, every evaluation that was finished can be read in both logs, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polar_monitor.sinks.jsonl import read_jsonl

STEPS = [10, 20, 30, 40]
ENDS = {
    "normal": ("pass", 0),
    "detached": ("monitor.detach()", 0),
    "exception": ("raise RuntimeError('in the training loop')", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -15),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    "os._exit": ("os._exit(5)", 5),
}
"""What ends the run, and its exit code."""
RUN = """
import gc, os, signal, sys
sys.path.insert(0, sys.argv[2])
import torch
import polar_monitor, polar_monitor.stream, tensorboard.compat.proto.event_pb2
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
    command = [sys.executable, "-c", RUN.replace("{ends!r}", repr(ENDS)), str(folder), str(Path(__file__).parent)]
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
    assert said.count("Traceback") == 1, said
    assert "polar_monitor" not in said
