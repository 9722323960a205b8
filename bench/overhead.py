"""What watching costs a training loop, the monitor and its peers: `python bench/overhead.py [MODEL …]`.

Models: small, mlp, conv, transformer. One model trains on and on in one process, in rounds of blocks of steps in random
order: not watched, watched by the monitor with all its defaults (TensorBoard and JSONL on), not watched again, and in
every fourth round each peer. The second block that is not watched is the control: it tells what the method cannot see
on this machine. docs/benchmarks/overhead.md says how the figures come about; `--write` puts the tables there.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib.util
import re
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import torch
from toll.measure import measure
from toll.models import GRID
from toll.peers import finish
from toll.report import line, tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "overhead.md"
BEGIN, END = "<!-- bench: overhead -->", "<!-- end: overhead -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(GRID))
    parser.add_argument("--seconds", type=float, default=50, help="time for each row of the tables")
    parser.add_argument("--quick", action="store_true", help="one row a model, 20 seconds each")
    parser.add_argument("--cpu", action="store_true", help="time the processor, for a machine that others use too")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks/overhead.md")
    options = parser.parse_args()
    unknown = set(options.models) - GRID.keys()
    if unknown:
        parser.error(f"expected models of {', '.join(GRID)}; got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    for peer in ("wandb", "delve"):
        if not importlib.util.find_spec(peer):
            print(f"{peer} is not installed, so its column is empty: pip install {peer}")
    clock, seconds, rows = process_time if options.cpu else perf_counter, 20 if options.quick else options.seconds, []
    with tempfile.TemporaryDirectory() as folder:
        for key in options.models or GRID:
            model = GRID[key]
            for latents in model.latents[1:2] if options.quick else model.latents:
                rows.append(measure(model, latents, seconds, Path(folder) / key / str(latents), clock))
                print(line(rows[-1]), flush=True)
        finish()
    text = tables(rows)
    print(f"\n{text}")
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        found = re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{text}\n{END}", page, flags=re.DOTALL)
        PAGE.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
