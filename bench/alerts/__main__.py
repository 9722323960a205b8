"""`python -m bench.alerts --quick|--full|--tune`: train what is not stored, and print how good the alarms are.

The quick set is 12 runs, the full one 192 (12 causes of collapse and 20 kinds of healthy runs, 6 seeds each). Runs are
kept in `--cache`; an interrupted set goes on where it was. `--replay-only` trains nothing and scores what is there.
`--tune` searches the thresholds on the tuning half, the even seeds, and reads no other run. `--decays` scores forecasts
of exact exponential decays, with drawn rows.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from polar_monitor.alerts.alert_rules import AlertRules, from_plain, read_rules

from .report import densities, named, tables
from .report.describe import line
from .report.room import room
from .scoring import decays
from .scoring.density import DENSEST, thinned
from .scoring.outcomes import Outcome, outcome, prepared
from .scoring.score import tuning
from .training.catalogue import SEEDS, Entry, collect, every, stored
from .training.record import Run
from .tuning.search import tune

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "alerts.md"
AT_DENSITIES: dict[str, Callable[[Sequence[Outcome]], str]] = {
    "Alerts at five densities": densities.densities,
    "Room for a warning": room,
    "What others take over": densities.settling,
    "Agreement between densities": densities.tolerances,
    "Forecasts at five densities": densities.forecasts,
}
"""Tables of what the rules say of every run at every density."""
SECTIONS: dict[str, Callable[[Sequence[Run]], str]] = {
    "First use": densities.first_use,
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
"""Tables of the runs at the densest."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.alerts", description=__doc__)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--quick", action="store_true", help="12 runs")
    size.add_argument("--full", action="store_true", help="192 runs")
    size.add_argument("--decays", action="store_true", help="forecasts of exact exponential decays")
    size.add_argument("--tune", action="store_true", help="search the thresholds on the stored runs of the tuning half")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these kinds or runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(SEEDS), help="other seeds; odd ones are held out")
    parser.add_argument("--half", choices=["tuning", "held-out"], help="only this half")
    parser.add_argument("--densities", action="store_true", help="only the tables of the five densities")
    parser.add_argument("--causes", action="store_true", help="only the table of named causes")
    parser.add_argument("--rules", type=Path, help="TOML file with thresholds for these tables and the search")
    parser.add_argument("--settings", type=int, default=50, help="settings that the search may try (default 50)")
    parser.add_argument("--cache", type=Path, default=Path(".alerts"), help="folder of the runs (default .alerts)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that train")
    parser.add_argument("--replay-only", action="store_true", help="train nothing")
    parser.add_argument("--sensitivity", action="store_true", help="also how the truth depends on its cuts")
    parser.add_argument("--write", action="store_true", help=f"write the tables to docs/results/{PAGE.name}")
    args = parser.parse_args()
    if args.decays:
        print(decays.table())
        return
    rules = AlertRules() if args.rules is None else from_plain(read_rules(args.rules), str(args.rules))
    entries = [e for e in every(args.quick, args.seeds) if not args.only or {e.kind, e.name} & set(args.only)]
    if args.half is not None or args.tune:
        entries = [e for e in entries if tuning(e) is (args.tune or args.half == "tuning")]
    if args.tune:
        tune(stored(entries, args.cache), args.settings, rules)
        return
    runs = _runs(entries, args)
    if not runs:
        parser.error(f"no runs in {args.cache}: run without --replay-only first")
    page = _page(runs, rules, args)
    print(f"\n{page}")
    if args.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(f"# The alarms, measured\n\nBy `python -m bench.alerts`, {len(runs)} runs.\n\n{page}")


def _runs(entries: list[Entry], args: argparse.Namespace) -> list[Run]:
    runs = []
    for run in stored(entries, args.cache) if args.replay_only else collect(entries, args.cache, args.jobs):
        if not (args.densities or args.causes):
            print(line(run), flush=True)
        runs.append(run)
    order = [e.name for e in entries]
    return sorted(runs, key=lambda run: order.index(run.name))


def _page(runs: list[Run], rules: AlertRules, args: argparse.Namespace) -> str:
    if args.causes:
        return named.judged([thinned(run, DENSEST) for run in runs])
    outcomes = [outcome(prepared(run), rules) for run in runs]
    parts = {title: table(outcomes) for title, table in AT_DENSITIES.items()}
    if not args.densities:
        thin = [thinned(run, DENSEST) for run in runs]
        sections = SECTIONS | ({"Sensitivity of the truth": tables.sensitivity} if args.sensitivity else {})
        parts |= {title: table(thin) for title, table in sections.items()}
    return "\n".join(f"## {title}\n\n{text}" for title, text in parts.items())


if __name__ == "__main__":
    main()
