"""`polar-monitor replay`: the alerts of a recorded run, as raised and as rules raise them on its log."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from ..alerts.alert import Alert, line
from ..alerts.alert_rules import read_rules
from ..alerts.custom_rule import of_rule
from ..alerts.registry import import_rule, installed
from ..errors import PolarMonitorError
from ..replay.replay import Replay, replay

CODES = (
    "exit codes: 0 the log gives exactly the alerts of the run, but for rules that are not installed here, or other "
    "rules were asked for; 1 it does not; 2 a file or an argument that cannot be used"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("log", nargs="?", type=Path, metavar="RUN", help="a .jsonl log, or the folder of a run")
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="TOML with fields of AlertRules, changed in those of the run"
    )
    parser.add_argument("--warmup", type=int, help="another warm-up, in steps, than the run's")
    parser.add_argument(
        "--extra",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="a rule of your own, which is imported; more than once for several",
    )
    parser.add_argument(
        "--list-rules", action="store_true", help="the rules that installed packages offer, and no more"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    if options.list_rules:
        for point in installed():
            print(f"{point.name}  {point.value}")
        return 0
    try:
        if options.log is None:
            raise PolarMonitorError("expected a log or the folder of a run, got neither")
        other = None if options.rules is None else read_rules(options.rules)
        found = replay(options.log, other, options.warmup, extra_rules=[import_rule(place) for place in options.extra])
    except PolarMonitorError as error:
        print(f"polar-monitor replay: {error}", file=sys.stderr)
        return 2
    print(json.dumps(_plain(found)) if options.json else table(found))
    for said in notes(found):
        print(f"polar-monitor replay: {said}", file=sys.stderr)
    changed = options.rules is not None or options.warmup is not None or found.added != ()
    return int(not changed and (found.only_live != () or found.only_replayed != ()))


def notes(found: Replay) -> Iterator[str]:
    """What was left out, a line each."""
    if found.torn is not None:
        yield f"line {found.torn} is torn, as a killed run leaves it, and left out"
    for name, why in found.missing.items():
        count = sum(of_rule(alert, name) for alert in found.live)
        yield f"rule {name!r} {why}: its alerts ({count}) are left out"


def table(found: Replay) -> str:
    """All alerts by step: as in the run, and marked - where only the run raised them, + where only the rules do.

    What is left out is marked ?.
    """
    marked = [
        *((alert, " ") for alert in found.both),
        *((alert, "-") for alert in found.only_live),
        *((alert, "+") for alert in found.only_replayed),
        *((alert, "?") for alert in found.left_out),
    ]
    marked.sort(key=lambda pair: pair[0].step)
    counts = f"{len(found.both)} alike, {len(found.only_live)} of the run alone, {len(found.only_replayed)} new"
    return "\n".join(
        [f"{found.evaluations} evaluations; {counts}", *(f"{mark} {line(alert)}" for alert, mark in marked)]
    )


def _plain(found: Replay) -> dict[str, object]:
    def plain(alerts: tuple[Alert, ...]) -> list[dict[str, object]]:
        return [alert.to_dict() | {"evidence": finite(alert)} for alert in alerts]

    def finite(alert: Alert) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in alert.evidence.items()}

    return {
        "evaluations": found.evaluations,
        "both": plain(found.both),
        "only_live": plain(found.only_live),
        "only_replayed": plain(found.only_replayed),
        "left_out": plain(found.left_out),
        "missing": dict(found.missing),
        "added": list(found.added),
        "torn": found.torn,
    }
