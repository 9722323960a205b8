"""What an evaluation costs, light and full, with the default sinks: `python bench/evaluation.py [--in-training]`.

Every evaluation has a window of 4096 new rows: clean ones, inputs that repeat, ties of bfloat16, NaN in some of the
dimensions, several rows an input. One thread, milliseconds at the median; where the time goes, and how many calls it
takes. `--base PATH` compares with another checkout, in turns, each in processes of its own. `--in-training` trains a
model of a million parameters for three steps between two evaluations, which leave nothing of ours in the caches.
`--write` puts the tables into docs/benchmarks/cost.md.

`pytest bench/evaluation.py` times a full evaluation with every sink and with none.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polar_monitor
from polar_monitor.sinks.console import PlainConsole

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks" / "cost.md"


def latents(dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Half active, half passive, as a polarised code is."""
    rng = np.random.default_rng(0)
    active = np.arange(dimensions) % 2 == 0
    mean = rng.normal(size=(4096, dimensions)) * np.where(active, 1.0, 0.02)
    spread = np.where(active, 0.02, 1.0) * rng.lognormal(0.0, 0.1, (4096, dimensions))
    return mean.astype(np.float32), np.log(spread).astype(np.float32)


@pytest.mark.parametrize("dimensions", [32, 512])
@pytest.mark.parametrize("sinks", ["all_sinks", "no_sinks"])
@pytest.mark.parametrize("kind", ["mean_and_variance", "mean_only"])
def test_evaluation(benchmark, tmp_path, dimensions, sinks, kind):
    where = (
        {"sinks": ()} if sinks == "no_sinks" else {"log_dir": tmp_path, "sinks": (PlainConsole(None, io.StringIO()),)}
    )
    monitor = polar_monitor.PolarMonitor(every=1, max_overhead=1.0, **where)
    mean, logvar = latents(dimensions)
    spread = {"logvar": logvar} if kind == "mean_and_variance" else {}
    monitor.observe(mean, **spread)
    monitor.step()
    benchmark.pedantic(monitor.step, setup=lambda: monitor.observe(mean, **spread), rounds=60, warmup_rounds=5)
    assert monitor.health().errors == 0
    assert monitor.snapshot().n == 4096


def process(module: str, checkout: Path, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    path = os.pathsep.join([str(checkout), str(HERE)])
    done = subprocess.run(
        [sys.executable, "-m", f"evaluations.{module}", json.dumps(arguments)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    from evaluations import report
    from evaluations.drive import CASES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-training", action="store_true", help="between steps of a model that empties the caches")
    parser.add_argument("--base", type=Path, metavar="PATH", help="another checkout to compare with")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[10, 32, 512], metavar="D")
    parser.add_argument("--rounds", type=int, default=3, help="processes on each checkout, in turns")
    parser.add_argument("--quick", action="store_true", help="one round, clean rows and repeated inputs, shorter")
    parser.add_argument("--cpu", action="store_true", help="time the processor, for a machine that others use too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks/cost.md")
    options = parser.parse_args()
    arguments = {
        "dimensions": options.dimensions,
        "cases": CASES[:2] if options.quick else CASES,
        "training": options.in_training,
        "budget": 0.3 if options.quick else 1.0,
        "cpu": options.cpu,
    }
    checkouts = [HERE.parent] if options.base is None else [options.base.resolve(), HERE.parent]
    rounds: dict[Path, list[Any]] = {checkout: [] for checkout in checkouts}
    for number in range(1 if options.quick else options.rounds):
        for checkout in checkouts[:: 1 if number % 2 else -1]:
            rounds[checkout].append(process("timings", checkout, arguments))
    clean_rows = arguments | {"cases": CASES[:1]}
    counts = {checkout: process("counts", checkout, clean_rows) for checkout in checkouts}
    ours = report.gathered(rounds[HERE.parent])
    base = {} if options.base is None else report.gathered(rounds[checkouts[0]])
    text = "\n\n".join(
        [
            report.times(ours, base),
            f"Milliseconds of the stages, clean rows:\n\n{report.stages(ours)}",
            f"Calls in an evaluation:\n\n{report.calls(ours, base, counts[HERE.parent], counts[checkouts[0]])}",
        ]
    )
    print(text)
    if options.write:
        mark = "evaluation in training" if options.in_training else "evaluation"
        begin, end = f"<!-- bench: {mark} -->", f"<!-- end: {mark} -->"
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.S), "utf-8")


if __name__ == "__main__":
    main()
