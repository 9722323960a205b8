"""All of the study with one command: `python -m bench.regimes --quick` (minutes) or `--full` (under an hour).

Trains the models, or takes up their records where an earlier run was interrupted, then writes tables, pictures and
the columns that they are made of. `--full` writes docs/results/, `--quick` build/regimes/quick/. Run it from the root
of the repository; pictures need matplotlib (`pip install -e ".[bench]"`) and are left out without it.

`--judge-only` trains nothing: a changed rule judges the records that are there, in a minute. They hold the codes, the
decoders and the truth; only the monitor's labels at the end of training are those of the library that trained.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib.util
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from .report import collect, figures, pages, provenance
from .training import grid, train
from .training.record import Trained, load

BUILD = provenance.ROOT / "build" / "regimes"
RESULTS = provenance.ROOT / "docs" / "results"
PROCESSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.regimes", description=__doc__.partition("\n")[0])
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--quick", action="store_true", help="a subset of the models, in under 4 minutes on two cores")
    size.add_argument("--full", action="store_true", help="all models, in under an hour on two cores")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=collect.PARTS,
        default=[*collect.PARTS],
        metavar="PART",
        help=", ".join(collect.PARTS),
    )
    parser.add_argument("--judge-only", action="store_true", help="train nothing: judge the records that are there")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.add_argument("--records", type=Path, help="folder of the trained models' records")
    arguments = parser.parse_args()
    name = "quick" if arguments.quick else "full"
    records = arguments.records or BUILD / f"records-{name}"
    out = arguments.out or (BUILD / "quick" if arguments.quick else RESULTS)
    run(out, records, arguments.quick, tuple(arguments.only), arguments.judge_only)


def kept_models(specs: Sequence[grid.Spec], records: Path) -> list[Trained]:
    """The records of these models that are in the folder, in their order."""
    paths = [records / f"{spec.name}.npz" for spec in specs]
    return [load(path) for path in paths if path.exists()]


def trained_models(specs: Sequence[grid.Spec], records: Path) -> list[Trained]:
    """The records of these models, in their order; those that are not in the folder yet are trained, two at a time."""
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(train.record, spec, records) for spec in specs]
        for done, one in enumerate(as_completed(waiting), 1):
            print(f"{done:4}/{len(specs)}  {one.result()}", flush=True)
    return [load(records / f"{spec.name}.npz") for spec in specs]


def run(out: Path, records: Path, quick: bool, parts: tuple[str, ...], judge_only: bool = False) -> None:
    """Train what is missing in `records`, then compute the parts and write them to `out`."""
    begin = time.perf_counter()
    specs = grid.quick() if quick else grid.full()
    models = (kept_models if judge_only else trained_models)(specs, records)
    trained = time.perf_counter()
    for part in parts:
        collect.PARTS[part](models, out / "data", quick)
        print(f"{part}: {time.perf_counter() - trained:.0f} s", flush=True)
    texts = {name: text for part in parts for name, text in pages.TABLES[part](out / "data").items()}
    command = f"python -m bench.regimes --{'quick' if quick else 'full'}{' --judge-only' if judge_only else ''}"
    spent = time.perf_counter() - trained
    texts["provenance"] = provenance.said(command, models, len(specs), spent)
    pages.write(out, texts)
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed: no pictures")
    else:
        figures.draw(out / "data", out / "images", parts)
    print(f"{out}: {len(models)} models, {trained - begin:.0f} s of training, {spent:.0f} s of the rest")


if __name__ == "__main__":
    main()
