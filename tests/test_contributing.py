"""The page for contributors, followed word by word: a statistic, an alert and a sink, seen in TensorBoard and JSONL."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "contributing.md"
BLOCK = re.compile(r"<!-- (new file|in) ?:? ?([\w./]+)(?:, (before|after): (.*?))? -->\n```python\n(.*?)```", re.S)
TASKS = ("A statistic for each dimension", "A built-in alert", "A sink for a tracker")
MAX_FILES = 4
"""Files that one of these tasks may touch."""
RUN = """
import sys, torch, polar_monitor
from polar_monitor.sinks.table import TableSink

class Vae(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc_mu, self.fc_logvar = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    def forward(self, x):
        return self.fc_mu(x), self.fc_logvar(x)

torch.manual_seed(0)
model = Vae()
with torch.no_grad():
    model.fc_mu.weight[1:].zero_()
    model.fc_logvar.weight.zero_()
    model.fc_logvar.bias.copy_(torch.tensor([-4.0, 0.0, 0.0]))
sinks = [TableSink(sys.argv[1] + "/numbers.txt")]
for folder, warmup, sinks in ((sys.argv[1], 0, sinks), (sys.argv[1] + "/warm", 7, [])):
    options = dict(every=5, max_overhead=1.0, warmup=warmup, strict=True)
    monitor = polar_monitor.attach(model, log_dir=folder, sinks=sinks, **options)
    optimizer = torch.optim.SGD(model.parameters(), 1e-9)
    for _ in range(10):
        mean, logvar = model(torch.randn(512, 4).exp())
        (mean.sum() + logvar.sum()).backward()
        optimizer.step()
    monitor.detach()
print(polar_monitor.__file__)
"""


def steps(task: str) -> list[tuple[str, str, str, str, str]]:
    """The changes of a task: new file or in, path, before or after, the line, and the code."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"## {task}\n")[1].split("\n## ")[0]
    return BLOCK.findall(section)


def follow(root: Path, change: tuple[str, str, str, str, str]) -> None:
    """Make one change in a copy of the package."""
    kind, name, place, anchor, code = change
    path = root / name
    if kind == "new file":
        assert not path.exists()
        path.write_text(code, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = [number for number, line in enumerate(lines) if line.strip().startswith(anchor)]
    assert len(at) == 1, f"{name} has {len(at)} lines that begin with {anchor!r}"
    lines.insert(at[0] + (place == "after"), code)
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's code with the changes."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "kernels", root / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    ignored = shutil.ignore_patterns("__pycache__", "kernels")
    shutil.copytree(ROOT / "polar_monitor", root / "polar_monitor", ignore=ignored)
    (root / "polar_monitor" / "kernels").symlink_to("../kernels")
    for task in TASKS:
        for change in steps(task):
            follow(root, change)
    return root


@pytest.fixture(scope="module")
def run(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with the changed package."""
    root, logs = copy, tmp_path_factory.mktemp("run")
    # numba's cache of the copy lies beside it: the shared one belongs to other files
    environment = os.environ | {"PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(root / "cache")}
    command = [sys.executable, "-c", RUN, str(logs)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(root / "polar_monitor" / "__init__.py")
    return logs


@pytest.mark.parametrize("task", TASKS)
def test_a_task_touches_few_files(task: str) -> None:
    files = {name for _, name, *_ in steps(task)}
    assert 1 <= len(files) <= MAX_FILES


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_the_changed_files_pass_ruff(copy: Path, check: list[str]) -> None:
    files = sorted({name for task in TASKS for _, name, *_ in steps(task)})
    command = [sys.executable, "-m", "ruff", *check, "--no-cache", *files]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_alert_of_the_page_waits_for_the_end_of_the_warm_up(run: Path) -> None:
    records = [json.loads(line) for line in (run / "warm" / "polar.jsonl").read_text().splitlines()]
    assert [(alert["kind"], alert["step"]) for record in records for alert in record["alerts"]] == [("dominant", 10)]


@pytest.mark.slow
def test_what_the_page_adds_is_in_the_log(run: Path) -> None:
    records = [json.loads(line) for line in (run / "polar.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [5, 10]
    assert records[-1]["snapshot"]["skewness"][0] != 0.0
    alerts = [alert for record in records for alert in record["alerts"]]
    assert [(alert["kind"], alert["step"]) for alert in alerts] == [("dominant", 5)]
    assert "free bits" in alerts[0]["advice"][0]


@pytest.mark.slow
def test_what_the_page_adds_is_in_tensorboard(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run), size_guidance={"tensors": 0, "scalars": 0})
    board.Reload()
    seen = board.Scalars("polar_dims/skewness/000")
    logged = [json.loads(line)["snapshot"]["skewness"][0] for line in (run / "polar.jsonl").read_text().splitlines()]
    assert [event.value for event in seen] == pytest.approx(logged, rel=1e-5)
    (text,) = board.Tensors("polar/alerts")
    assert b"DOMINANT" in text.tensor_proto.string_val[0]


@pytest.mark.slow
def test_the_sink_of_the_page_writes_the_same_numbers(run: Path) -> None:
    lines = (run / "numbers.txt").read_text().splitlines()
    logged = json.loads((run / "polar.jsonl").read_text().splitlines()[-1])["snapshot"]
    (line,) = [line for line in lines if line.startswith("10 polar_dims/skewness/000 ")]
    assert float(line.split()[-1]) == pytest.approx(logged["skewness"][0], rel=1e-5)
