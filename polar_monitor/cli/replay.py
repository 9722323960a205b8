"""`polar-monitor replay`: compare the alerts of a recorded run with those that rules raise on its log."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PolarMonitorError
from .screen import complain, show, show_json

if TYPE_CHECKING:
    from ..alerts.alert import Alert
    from ..replay.replay import Replay

COMMAND = "polar-monitor replay"
DESCRIPTION = "Evaluate the log of a run again, under its own rules or others, and compare the alerts."
CODES = (
    "exit codes: 0 the log gives exactly the alerts of the run (except for rules that are not installed here), or you "
    "asked for other rules; 1 the alerts differ; 2 a file or an argument that cannot be used"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
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
    parser.add_argument("--list-rules", action="store_true", help="list the rules of installed packages, and end")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..alerts.alert_rules import read_rules
    from ..alerts.registry import import_rule, installed
    from ..replay.replay import replay

    if options.list_rules:
        points = installed()
        if options.json:
            show_json({point.name: point.value for point in points})
            return 0
        for point in points:
            show(f"{point.name}  {point.value}")
        if not points:
            complain(COMMAND, "no rules are installed (entry-point group polar_monitor.rules)")
        return 0
    if options.log is None:
        raise PolarMonitorError("expected a log or the folder of a run, got no argument: polar-monitor replay RUN")
    rules = None if options.rules is None else read_rules(options.rules)
    result = replay(options.log, rules, options.warmup, extra_rules=[import_rule(place) for place in options.extra])
    if options.json:
        show_json(_as_json(result))
    else:
        show(table(result))
    for note in notes(result):
        complain(COMMAND, note)
    changed = options.rules is not None or options.warmup is not None or result.added != ()
    return int(not changed and (result.only_live != () or result.only_replayed != ()))


def notes(result: Replay) -> Iterator[str]:
    """Yield one line for each thing that the comparison leaves out."""
    from ..alerts.custom_rule import of_rule

    if result.torn is not None:
        yield f"line {result.torn} is incomplete, as a killed run leaves it, and is left out"
    if result.replaced:
        yield (
            f"{result.replaced} evaluations were written again by a later run in this log, resumed or begun anew, and "
            "are left out"
        )
    yield from result.losses
    for name, why in result.missing.items():
        count = sum(of_rule(alert, name) for alert in result.live)
        yield f"rule {name!r} {why}: its alerts ({count}) are left out"


def table(result: Replay) -> str:
    """Return all alerts by step.

    Marks: - only in the run, + only in the replay, ~ the same line in both and another field, ? left out.
    """
    from ..alerts.alert import format_alert

    run, replayed = ({format_alert(one): one for one in those} for those in (result.only_live, result.only_replayed))
    alike = {line: _different(run[line], replayed[line]) for line in run.keys() & replayed.keys()}
    marked = [
        *((alert, " ") for alert in result.both),
        *((alert, "~" if format_alert(alert) in alike else "-") for alert in result.only_live),
        *((alert, "+") for alert in result.only_replayed if format_alert(alert) not in alike),
        *((alert, "?") for alert in result.left_out),
    ]
    marked.sort(key=lambda pair: pair[0].step)
    counts = (
        f"{len(result.both)} matched, {len(result.only_live)} only in the run, "
        f"{len(result.only_replayed)} only in the replay"
    )
    lines = [f"{result.evaluations} evaluations; {counts}"]
    for alert, mark in marked:
        text = format_alert(alert)
        lines.append(f"{mark} {text}{f' (differs in {alike[text]})' if mark == '~' else ''}")
    return "\n".join(lines)


def _different(one: Alert, other: Alert) -> str:
    """Return the names of the fields in which two alerts differ."""
    fields = one.to_dict(), other.to_dict()
    return " and ".join(name for name in fields[0] if fields[0][name] != fields[1].get(name)) or "evidence"


def _as_json(result: Replay) -> dict[str, object]:
    from ..arrays.finite_json import finite_json

    def plain(alerts: tuple[Alert, ...]) -> list[dict[str, object]]:
        return [alert.to_dict() | {"evidence": finite_json(alert.evidence)} for alert in alerts]

    return {
        "evaluations": result.evaluations,
        "both": plain(result.both),
        "only_live": plain(result.only_live),
        "only_replayed": plain(result.only_replayed),
        "left_out": plain(result.left_out),
        "missing": dict(result.missing),
        "added": list(result.added),
        "torn": result.torn,
        "replaced": result.replaced,
        "losses": list(result.losses),
    }
