"""A monitor in a line, at `attach` and later, and as HTML for notebooks."""

from __future__ import annotations

import html
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..alerts.alert import NOTES, Alert
from ..errors import PolarMonitorError, printable
from ..evaluation import Health
from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot
from ..views.document import documents
from ..views.find_logs import LOG
from ..views.html import run_html
from ..views.log import RunLog


def line(
    snapshot: Snapshot | None, regime: Regime | None, alerts: tuple[Alert, ...], health: Health, folder: Path | None
) -> str:
    """Return a monitor in one line: step, verdict, use, nats, alerts, and the folder of its results."""
    where = "" if folder is None else f" → {printable(str(folder), keep='')}"
    if snapshot is None or regime is None:
        return f"PolarMonitor: step {health.steps}, nothing evaluated yet{where}"
    count = sum(alert.kind not in NOTES for alert in alerts)
    news = "no alerts" if not count else "1 alert" if count == 1 else f"{count} alerts"
    verdict, used = str(regime.verdict).replace("_", " "), len(regime.informative)
    total = float(np.nansum(snapshot.information))
    use = f"{used} of {snapshot.dimensions} in use, {total:.1f} nats"
    return f"PolarMonitor: step {health.steps}, {verdict}, {use}, {news}{where}"


def watching(names: Sequence[str], dimensions: int | None, sinks: Sequence[object], folder: Path | None) -> str:
    """Return the line of `attach`: what is watched, where it goes, and the command that shows it."""
    what = "/".join(name.strip("'") for name in names)
    what = f"watching {what}" if what else "looking for the latent in the first forwards"
    what += f", {dimensions} dimension{'s' * (dimensions != 1)}" if names and dimensions else ""
    if folder is None:
        where = (
            f" -> {', '.join(type(sink).__name__ for sink in sinks)}" if sinks else "; nothing is written (sinks=())"
        )
        return printable(f"PolarMonitor: {what}{where}", keep="")
    shown = folder.parent if folder.parent.name == "runs" else folder
    return printable(f"PolarMonitor: {what} -> {folder}; tensorboard --logdir {shlex.quote(str(shown))}", keep="")


def as_html(plain: str, regime: Regime | None, folder: Path | None) -> str:
    """Return the lifelines of a monitor with a log, and the labels of one without, under its line."""
    head = f"<p>{html.escape(plain)}</p>"
    if folder is not None:
        log = RunLog(folder / LOG)
        try:
            log.refresh()
        except PolarMonitorError as error:
            return f"{head}<p>{html.escape(printable(str(error)))}</p>"
        runs = [run for run in documents(log, "run", 0.2) if not run["problem"]]
        if runs:
            return head + "".join(map(run_html, runs))
    return head if regime is None else head + regime._repr_html_()
