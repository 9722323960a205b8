"""The default sinks together: nothing is lost however the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from records import make_evaluation
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polar_monitor.errors import PolarMonitorError
from polar_monitor.monitor.outputs import default_sinks
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl
from polar_monitor.sinks.tensorboard import TensorBoardSink

TESTS = Path(__file__).parents[1] / "helpers"


# Without the package's own __init__, so that a fresh interpreter need not load torch.
ALONE = f"""
import sys, types
sys.path.insert(0, {str(TESTS)!r})
package = types.ModuleType("polar_monitor")
package.__path__ = [{str(TESTS.parents[1] / "polar_monitor")!r}]
sys.modules["polar_monitor"] = package
"""


RUN = f"""
{ALONE}
from records import make_run
from polar_monitor.monitor.outputs import default_sinks
folder, sinks = default_sinks(sys.argv[1])
for evaluation in make_run(32, 4, bins=8):  # the verdict changes at the 17th
    for sink in sinks:
        sink.write(evaluation)
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=120)


def board(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


def test_default_sinks_share_a_folder(tmp_path):
    folder, sinks = default_sinks(tmp_path / "run")
    assert [type(sink) for sink in sinks] == [TensorBoardSink, JsonlSink]
    for sink in sinks:
        sink.write(make_evaluation(100))
        sink.close()
    assert folder == tmp_path / "run"
    assert [e.step for e in read_jsonl(folder / "polar.jsonl")] == [100]
    assert board(folder).Scalars("polar/active")[0].step == 100


def test_default_sinks_in_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match="sinks=\\(\\) to write nothing"):
        default_sinks(tmp_path / "file")


def test_nothing_is_lost_when_the_process_is_killed(tmp_path):
    done = run(RUN + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    steps = list(range(100, 3300, 100))
    assert [e.step for e in read_jsonl(tmp_path / "polar.jsonl", strict=True)] == steps
    assert [point.step for point in board(tmp_path).Scalars("polar/active")] == steps


@pytest.mark.parametrize(
    ("end", "code"), [("", 0), ("raise ValueError('mine')", 1), ("sys.exit(3)", 3)], ids=["normal", "exception", "exit"]
)
def test_the_last_strip_is_written_at_the_end_without_close(tmp_path, end, code):
    done = run(RUN + end, tmp_path)
    assert done.returncode == code, done.stderr
    assert [image.step for image in board(tmp_path).Images("polar/states")][-2:] == [1700, 3200]
    assert ("mine" in done.stderr) == ("mine" in end)
    assert "polar_monitor" not in done.stderr


def test_a_child_that_ends_leaves_the_last_strip_to_its_parent(tmp_path):
    done = run(RUN + "import os\nif os.fork():\n    os.wait()", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [image.step for image in board(tmp_path).Images("polar/states")][-2:] == [1700, 3200]
    assert len(read_jsonl(tmp_path / "polar.jsonl")) == 32


def test_tensorboard_is_imported_by_the_constructor_and_nothing_by_the_first_write(tmp_path):
    code = f"""
{ALONE}
from records import make_evaluation, make_alert
import polar_monitor.monitor.outputs
early = {{"tensorboard", "PIL", "polar_monitor.kernels.crc32c"}} & set(sys.modules)
_, sinks = polar_monitor.monitor.outputs.default_sinks(sys.argv[1])
evaluation = make_evaluation(alerts=(make_alert(),))
before = set(sys.modules)
for sink in sinks:
    sink.write(evaluation)
print(sorted(early), sorted(set(sys.modules) - before))
"""
    done = run(code, tmp_path)
    assert done.stdout == "[] []\n", done.stdout + done.stderr


def test_nothing_of_ours_is_executable_or_private(tmp_path):
    folder, sinks = default_sinks(tmp_path)
    for sink in sinks:
        sink.close()
    expected = 0o666 & ~_umask()
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {expected}


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
