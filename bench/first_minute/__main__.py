"""`python -m bench.first_minute [--root PATH]`: for ten training runs, how soon the labels are those of the model.

Each run is a process of its own. With `--root` they run the code of another checkout, which is then the one to compare
with. Records are kept in build/first_minute; `--plot` draws both into docs/images, from what is there. The schedule
goes by time: on a machine that others use too, `--cpu` lets the run and its monitor read processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from .report import plot, table, wrong_labels
from .run import RUNS

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "first_minute"
PICTURE = ROOT / "docs" / "images" / "first-minute.svg"


def main() -> None:
    """Train what is asked for and has no record yet, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_minute", description=__doc__)
    parser.add_argument("--root", type=Path, help="another checkout, whose code runs instead of this one's")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[*RUNS], metavar="RUN", help="some of the runs")
    parser.add_argument("--again", action="store_true", help="train even if there is a record")
    parser.add_argument("--plot", action="store_true", help=f"draw docs/images/{PICTURE.name}")
    parser.add_argument("--cpu", action="store_true", help="processor time; for the code of this checkout")
    arguments = parser.parse_args()
    if arguments.cpu and arguments.root is not None:
        parser.error("--cpu: expected the code of this checkout; leave out --root or --cpu")
    folder = BUILD / ("after" if arguments.root is None else "before")
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        record = folder / f"{name}.json"
        if arguments.again or not record.exists():
            environment = os.environ | {"PYTHONPATH": str(arguments.root or ROOT)}
            script = [sys.executable, str(ROOT / "bench" / "first_minute" / "run.py"), name, str(record)]
            script += ["--cpu"] * arguments.cpu
            subprocess.run(script, env=environment, check=True)
    print(f"{table(read(folder))}\n\n{wrong_labels(read(folder))}")
    if arguments.plot:
        plot(read(BUILD / "before"), read(BUILD / "after"), PICTURE)
        print(f"drawn: {PICTURE}")


def read(folder: Path) -> dict[str, dict[str, object]]:
    """Return the records that are there, by name, in the order of the runs."""
    paths = {name: folder / f"{name}.json" for name in RUNS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


if __name__ == "__main__":
    main()
