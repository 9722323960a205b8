"""Check of a run: the newest labels of each of its latents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError, printable
from .gate import COMMAND, CONDITIONS, OF_RUNS, exit_code
from .screen import columns, complain, series_of, show, show_json

MAX_ROWS = 24
"""Dimensions that all have a row; of more, those that are passive are one line, unless all are asked for."""


def check_run(path: Path, name: str, asked: Sequence[str], as_json: bool, everything: bool) -> int:
    """Print the newest state of a run, and return the exit code. `asked` are the conditions."""
    from ..views.find_logs import log_of_run
    from ..views.latest import latest
    from ..views.log import RunLog

    log = RunLog(log_of_run(path))
    log.refresh()
    if log.problem:
        raise PolarMonitorError(f"{path}: {log.problem}")
    latents = latest(log)
    failed = [condition for condition in asked if any(_holds(condition, latent) for latent in latents)]
    if as_json:
        show_json({"run": name, "failed": failed, "latents": latents, "notes": log.notes})
    else:
        show("\n\n".join(run_table(latent, everything) for latent in latents))
        for note in log.notes:
            complain(COMMAND, note)
    return exit_code(asked, failed, [(latent["verdict"], latent["reasons"]) for latent in latents])


def _holds(condition: str, latent: dict[str, Any]) -> bool:
    if condition in OF_RUNS:
        return bool(latent[condition])
    return CONDITIONS[condition](latent["verdict"], Counter(latent["labels"]))


def run_table(latent: dict[str, Any], everything: bool = False) -> str:
    """Return the newest state of a latent of a run as plain text."""
    series, labels = series_of(latent), latent["labels"]
    head = f"step {latent['step']:,}{f', {series}' if series else ''}: {latent['verdict']}. {latent['text']}"
    state = dict.fromkeys(latent["lost"], "lost") | dict.fromkeys(latent["fading"], "fading")
    rows = [["  dim", "label", "nats", "± se", ""]]
    which, rest = listed(labels, list(state), everything)
    for j in which:
        numbers = ["-" if v is None else f"{v:.3f}" for v in (latent["information"][j], latent["error"][j])]
        rows.append([f"  {j:>3}", labels[j], *numbers, state.get(j, "")])
    more = rest_line(rest, latent["information"])
    reasons = (f"  {printable(reason, keep='')}" for reason in latent["reasons"])
    return "\n".join([head, *reasons, *(["", columns(rows, right=[2, 3])] if which else []), *more])


def listed(labels: Sequence[str], gone: Sequence[int], everything: bool) -> tuple[list[int], list[int]]:
    """Return the dimensions that have a row, and the others: passive ones of a wide latent that are not in `gone`."""
    if everything or len(labels) <= MAX_ROWS:
        return list(range(len(labels))), []
    rest = [j for j, label in enumerate(labels) if label == "passive" and j not in gone]
    return sorted(set(range(len(labels))) - set(rest)), rest


def rest_line(rest: Sequence[int], nats: Sequence[float | None]) -> list[str]:
    """Return a line about the dimensions without a row, if there are any."""
    known = [value for j in rest if (value := nats[j]) is not None and value == value]
    top = f"{max(known):.3f} nats or less" if known else "no finite number"
    return [f"\n  {len(rest):,} more: passive, {top}; --all lists them"] if rest else []
