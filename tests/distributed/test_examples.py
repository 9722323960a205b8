"""The examples of several processes run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "many_devices"


def shown(*call: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *call], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"), [("torchrun_parts", "rows: 20000"), ("torchrun_training", "step 600: polarised")]
)
def test_an_example_of_ranks_prints_one_result(name: str, line: str) -> None:
    out = shown(
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "localhost:0",
        str(EXAMPLES / f"{name}.py"),
    )
    assert out.count(line) == 1


@pytest.mark.slow
def test_the_example_on_a_cluster_gives_what_one_process_gives() -> None:
    pytest.importorskip("dask.distributed")
    assert "equal to one process: True" in shown(str(EXAMPLES / "dask_parts.py"))
