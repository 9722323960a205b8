"""`python -m bench.alerts --quick|--full`: train what is not stored, and print how good the alarms are.

The quick set is 12 runs, the full one 132 (11 causes of collapse and 11 kinds of healthy runs, 6 seeds each). Runs are
kept in `--cache`; an interrupted set goes on where it was. `--replay-only` trains nothing and scores what is there.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from pathlib import Path

from .report import named, tables
from .report.describe import line
from .training.catalogue import collect, every, stored
from .training.record import Run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "alerts.md"
SECTIONS = {
    "Figures": tables.figures,
    "Kind by kind": tables.causes,
    "Lead against false alarms": tables.curves,
    "Known times of loss": tables.closed_form,
    "Named causes, judged": named.judged,
    "Named causes where the loop logs its numbers": named.confusion,
    "Losses that the forecast interval holds": named.calibration,
    "Factors of the forecast": named.factors,
    "Cost": lambda runs: named.cost(runs[0]),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.alerts", description=__doc__)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--quick", action="store_true", help="12 runs")
    size.add_argument("--full", action="store_true", help="132 runs")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these kinds or runs")
    parser.add_argument("--cache", type=Path, default=Path(".alerts"), help="folder of the runs (default .alerts)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that train")
    parser.add_argument("--replay-only", action="store_true", help="train nothing")
    parser.add_argument("--sensitivity", action="store_true", help="also how the truth depends on its cuts")
    parser.add_argument("--write", action="store_true", help=f"write the tables to docs/results/{PAGE.name}")
    args = parser.parse_args()
    entries = [e for e in every(args.quick) if not args.only or {e.kind, e.name} & set(args.only)]
    runs: list[Run] = []
    for run in stored(entries, args.cache) if args.replay_only else collect(entries, args.cache, args.jobs):
        print(line(run), flush=True)
        runs.append(run)
    if not runs:
        parser.error(f"no runs in {args.cache}: run without --replay-only first")
    order = [e.name for e in entries]
    runs.sort(key=lambda run: order.index(run.name))
    sections = SECTIONS | ({"Sensitivity of the truth": tables.sensitivity} if args.sensitivity else {})
    page = "\n".join(f"## {title}\n\n{table(runs)}" for title, table in sections.items())
    print(f"\n{page}")
    if args.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(f"# The alarms, measured\n\nBy `python -m bench.alerts`, {len(runs)} runs.\n\n{page}")


if __name__ == "__main__":
    main()
