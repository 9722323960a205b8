"""Random scenarios against the same trainings without the monitor: `python bench/chaos.py [--minutes M] [--seed S]`.

Each scenario is composed from the table in `host/scenario.py`. The weights must be equal bit for bit, the rows
accounted for, the log readable, no exception raised and no hook left. The seed of what fails is printed:
`--seed S --runs 1` repeats it. The exit status is 1 if something failed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from host.scenario import Scenario, run, scenario


def problems_of(plan: Scenario) -> list[str]:
    """Run a scenario with the monitor and without it, and return what is wrong."""
    perf_counter = time.perf_counter
    without = run(plan, monitored=False)
    try:
        left = run(plan, monitored=True)
    except BaseException:
        return [traceback.format_exc(limit=-4)]
    finally:
        time.perf_counter = perf_counter
    problems = list(left.problems)
    for name, value in without.numbers.items():
        other = left.numbers.get(name)
        if not (torch.equal(value.nan_to_num(), other.nan_to_num()) if torch.is_tensor(value) else value == other):
            problems.append(f"{name} is not the same")
    return problems


def main() -> int:
    """Run scenarios until the time is over, and print what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=0, help="that of the first scenario")
    parser.add_argument("--runs", type=int, default=10**9, help="scenarios at most")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("polar_monitor").setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    end, failed, runs = time.monotonic() + 60 * options.minutes, 0, 0
    while runs < options.runs and time.monotonic() < end:
        plan = scenario(options.seed + runs)
        runs += 1
        if problems := problems_of(plan):
            failed += 1
            print(f"seed {plan.seed}: {plan.settings}, events {plan.events}", *problems, sep="\n    ", flush=True)
    print(f"{runs} scenarios from seed {options.seed} on, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
