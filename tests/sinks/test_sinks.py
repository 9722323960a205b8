"""The sinks together: none can harm the training, and nothing is lost however the process ends."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import make_evaluation
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polar_monitor import PolarMonitor
from polar_monitor.errors import PolarMonitorError
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor.outputs import default_sinks
from polar_monitor.sinks.group import SinkGroup
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl
from polar_monitor.sinks.tensorboard import TensorBoardSink

TESTS = Path(__file__).parents[1]
# Without the package's own __init__, so that a fresh interpreter need not load torch.
ALONE = f"""
import sys, types
sys.path.insert(0, {str(TESTS)!r})
package = types.ModuleType("polar_monitor")
package.__path__ = [{str(TESTS.parent / "polar_monitor")!r}]
sys.modules["polar_monitor"] = package
"""
RUN = f"""
{ALONE}
from records import make_run
from polar_monitor.monitor.outputs import default_sinks
folder, sinks = default_sinks(sys.argv[1])
for evaluation in make_run(32, 4, bins=8):  # the picture is drawn at the 30th
    for sink in sinks:
        sink.write(evaluation)
"""


class Memory:
    """Keeps what it is given; fails as told."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures, self.taken, self.calls = list(failures), [], []

    def write(self, evaluation: Evaluation) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.taken.append(evaluation.step)

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self) -> None:
        self.calls.append("close")


class Optional(Memory):
    """Has the two optional methods."""

    def resume(self, step: int) -> None:
        self.calls.append(f"resume {step}")

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        self.calls.append(f"begin {name} {sorted(setup)}")


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=120)


def board(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


# -- the group --------------------------------------------------------------------------------------------------------


def test_a_failing_sink_is_told_once_and_counted_and_the_others_go_on(caplog):
    bad, good = Memory(*[OSError(28, "disk full")] * 3, ValueError("odd"), None), Memory()
    group = SinkGroup((bad, good))
    with caplog.at_level(logging.ERROR, "polar_monitor"):
        for step in range(1, 6):
            group.write(make_evaluation(step, empty=True))
    assert good.taken == [1, 2, 3, 4, 5]
    assert bad.taken == [5]
    assert group.drops == 4
    assert [record.getMessage() for record in caplog.records] == [
        "Memory failed (OSError: [Errno 28] disk full); its records are dropped",
        "Memory failed (ValueError: odd); its records are dropped",
    ]


def test_two_sinks_that_fail_alike_are_both_told_of(caplog):
    group = SinkGroup((Memory(OSError("one")), Memory(OSError("two"))))
    with caplog.at_level(logging.ERROR, "polar_monitor"):
        group.write(make_evaluation(empty=True))
    assert group.drops == len(caplog.records) == 2


def test_strict_raises():
    group = SinkGroup((Memory(OSError(28, "disk full")),))
    group.strict = True
    with pytest.raises(OSError, match="disk full"):
        group.write(make_evaluation(empty=True))


def test_what_is_no_error_of_the_sink_passes():
    group = SinkGroup((Memory(KeyboardInterrupt()),))
    with pytest.raises(KeyboardInterrupt):
        group.write(make_evaluation(empty=True))


def test_every_method_reaches_the_sinks_that_have_it():
    plain, optional = Memory(), Optional()
    group = SinkGroup((plain, optional))
    group.begin("z", {"warmup": 3})
    group.flush()
    group.resume(7)
    group.close()
    assert plain.calls == ["flush", "close"]
    assert optional.calls == ["begin z ['warmup']", "flush", "resume 7", "close"]


def test_the_monitor_begins_every_sink_that_can_before_the_first_evaluation():
    plain, optional = Memory(), Optional()
    monitor = PolarMonitor(sinks=[plain, optional], every=1, name="z")
    monitor.observe(np.zeros((64, 2)))
    monitor.step()
    monitor.detach()
    assert plain.taken == optional.taken == [1]
    assert optional.calls[0] == "begin z ['extra_rules', 'rules', 'warmup']"


def test_a_sink_that_cannot_begin_is_logged_and_written_to(caplog):
    class Stuck(Memory):
        def begin(self, name: str, setup: Mapping[str, Any]) -> None:
            raise OSError("stuck")

    bad = Stuck()
    group = SinkGroup((bad,))
    group.begin("", {})
    group.write(make_evaluation(empty=True))
    assert bad.taken == [100]
    assert "Stuck failed (OSError: stuck)" in caplog.text


def test_a_sink_that_cannot_close_keeps_no_other_from_it(caplog):
    class Stuck(Memory):
        def close(self) -> None:
            raise OSError("stuck")

    good = Memory()
    SinkGroup((Stuck(), good)).close()
    assert good.calls == ["close"]
    assert "Stuck failed (OSError: stuck)" in caplog.text


# -- the default ------------------------------------------------------------------------------------------------------


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


# -- the end of the process -------------------------------------------------------------------------------------------


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
    assert [image.step for image in board(tmp_path).Images("polar/states")][-2:] == [3100, 3200]
    assert ("mine" in done.stderr) == ("mine" in end)
    assert "polar_monitor" not in done.stderr


def test_a_child_that_ends_leaves_the_last_strip_to_its_parent(tmp_path):
    done = run(RUN + "import os\nif os.fork():\n    os.wait()", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [image.step for image in board(tmp_path).Images("polar/states")][-2:] == [3100, 3200]
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
