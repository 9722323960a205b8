"""Check of a run: the newest labels of each of its latents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError, printable
from .gate import COMMAND, CONDITIONS, OF_RUNS, exit_code
from .screen import columns, complain, series_of, show, show_json


def check_run(path: Path, name: str, asked: Sequence[str], as_json: bool) -> int:
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
        show("\n\n".join(map(run_table, latents)))
        for note in log.notes:
            complain(COMMAND, note)
    return exit_code(asked, failed, [(latent["verdict"], latent["reasons"]) for latent in latents])


def _holds(condition: str, latent: dict[str, Any]) -> bool:
    if condition in OF_RUNS:
        return bool(latent[condition])
    return CONDITIONS[condition](latent["verdict"], Counter(latent["labels"]))


def run_table(latent: dict[str, Any]) -> str:
    """Return the newest state of a latent of a run as plain text."""
    series = series_of(latent)
    head = f"step {latent['step']:,}{f', {series}' if series else ''}: {latent['verdict']}. {latent['text']}"
    rows = [["  dim", "label", "nats", "± se", ""]]
    for j, label in enumerate(latent["labels"]):
        numbers = ["-" if v is None else f"{v:.3f}" for v in (latent["information"][j], latent["error"][j])]
        state = "fading" if j in latent["fading"] else "lost" if j in latent["lost"] else ""
        rows.append([f"  {j:>3}", label, *(number.rjust(6) for number in numbers), state])
    return "\n".join([head, *(f"  {printable(reason, keep='')}" for reason in latent["reasons"]), "", columns(rows)])
