"""The example of each framework runs, for a few steps, in a process of its own, as a user would start it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from frameworks import OF_PACKAGES, is_installed

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "frameworks").glob("with_*.py"))
RUN = """
import runpy, sys
monitor = runpy.run_path(sys.argv[1])["main"](steps=40)
monitor.detach()
assert monitor.regime() is not None
assert monitor.health().errors == 0
assert monitor.health().steps >= 40
"""


def test_there_is_one_for_each() -> None:
    packages = {path.stem.removeprefix("with_") for path in EXAMPLES}
    assert not packages & set(OF_PACKAGES.values())
    assert packages | set(OF_PACKAGES.values()) == {
        "lightning", "transformers", "accelerate", "ignite", "scvi", "diffusers", "pythae", "pyro", "torch_geometric",
        "torchmetrics", "wandb",
    }  # fmt: skip


@pytest.mark.integrations
@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path: Path, tmp_path: Path) -> None:
    package = path.stem.removeprefix("with_")
    if not is_installed(package):
        pytest.skip(f"{package} is not installed")
    environment = os.environ | {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^step [1-9]\d+( \(training is at step \d+\))?: ", done.stdout, re.MULTILINE), done.stdout
