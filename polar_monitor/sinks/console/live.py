"""The live view: a table of the dimensions, a progress bar and the last alerts, redrawn at every evaluation.

Needs rich. No thread: nothing moves between two evaluations.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...alerts.alert import NOTES, Alert, AlertKind, add_alert, format_alert
from ...errors import printable
from ...evaluation import Evaluation
from ...regime.label import Label
from ...regime.regime import Regime
from ...statistics.snapshot import Snapshot
from ...statistics.thresholds import INFORMATIVE
from ..scalars import extremes

STYLES = {Label.ACTIVE: "bold cyan", Label.MIXED: "yellow", Label.PASSIVE: "dim", Label.UNDECIDED: "magenta"}
GOOD = {AlertKind.REVIVED}
MAX_TREND = 24
"""Evaluations in a trend."""
RECOVERED_SHARE = 0.9
"""Share of its highest level with which a dimension fades no more."""
MAX_ALERTS = 6
"""Alerts that stay in view."""
OTHER_LINES = 8 + MAX_ALERTS
"""Lines around the rows of the table."""
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-~=+*#"


class LiveConsole:
    """View of the latents, redrawn in place on a terminal at every evaluation."""

    def __init__(self, total: int | None = None, terminal: Console | None = None) -> None:
        self.total = total
        self._terminal = terminal or Console()
        self._live = Live(console=self._terminal, auto_refresh=False, transient=False)
        self._history: dict[tuple[str, str], deque[list[float]]] = {}
        self._fading: dict[tuple[str, str, int], Alert] = {}
        self._alerts: deque[Alert] = deque(maxlen=MAX_ALERTS)
        self._began = time.monotonic()
        self._bars = BARS if "utf" in (self._terminal.encoding or "").lower() else ASCII_BARS

    def say(self, words: str) -> None:
        """Print a line above the view, such as a new phase of the training."""
        self._terminal.print(Text(printable(words), style="bold"))

    def write(self, evaluation: Evaluation) -> None:
        """Redraw the view."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(self.view(evaluation), refresh=True)

    def flush(self) -> None:
        """Do nothing: `write` draws the view."""

    def close(self) -> None:
        """Leave the last view on the terminal."""
        if self._live.is_started:
            self._live.stop()

    def view(self, evaluation: Evaluation) -> Group:
        """Return the view of one evaluation: progress, verdict, table of the dimensions, last alerts."""
        key = (evaluation.name, evaluation.mode)
        for alert in evaluation.alerts:
            add_alert(self._alerts, alert)
            self._follow(key, alert)
        parts: list[Any] = [self._progress(evaluation)]
        s, regime = evaluation.snapshot, evaluation.regime
        if s is None or regime is None:
            parts.append(Text("nothing observed yet", style="red"))
        else:
            self._history.setdefault(key, deque(maxlen=MAX_TREND)).append(s.information.tolist())
            parts += [self._headline(s, regime), self._table(key, s, regime)]
        parts += [Text(format_alert(alert), style=_style(alert)) for alert in self._alerts]
        return Group(*parts)

    def _follow(self, key: tuple[str, str], alert: Alert) -> None:
        """Remember the newest forecast of each dimension that fades.

        A FADING that amends another has a forecast of those that fade still; of the others, theirs is over.
        """
        for j in alert.dimensions:
            self._fading.pop((*key, j), None)
            if alert.kind is AlertKind.FADING and (len(alert.dimensions) == 1 or f"forecast_{j}" in alert.evidence):
                self._fading[*key, j] = alert

    def _progress(self, evaluation: Evaluation) -> Table:
        row = Table.grid(padding=(0, 1), expand=False)
        overhead = f"overhead {evaluation.health.overhead:.1%}"
        if self.total is None:
            row.add_row(f"step {evaluation.step}", overhead)
            return row
        done = min(evaluation.step / self.total, 1.0)
        left = (time.monotonic() - self._began) * (1 - done) / done if done > 0 else 0.0
        bar = ProgressBar(total=self.total, completed=min(evaluation.step, self.total), width=30)
        row.add_row(f"step {evaluation.step}/{self.total}", bar, f"{done:4.0%}", f"{left:.0f} s left", overhead)
        return row

    def _headline(self, s: Snapshot, regime: Regime) -> Text:
        total = sum(value for value in s.information.tolist() if value == value)
        text = Text.assemble((str(regime.verdict).upper(), "bold"), f"   {total:.2f} nats   ")
        for label in Label:
            text.append(f"{regime.count(label)} {label}  ", STYLES[label])
        return text

    def _table(self, key: tuple[str, str], s: Snapshot, regime: Regime) -> Table:
        table = Table(box=None, padding=(0, 1), header_style="dim")
        for name, justify in (("dim", "right"), ("label", "left"), ("nats", "right"), ("± se", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("trend", width=MAX_TREND, no_wrap=True)
        table.add_column("", no_wrap=True)
        rows = max(self._terminal.height - OTHER_LINES, 4)
        for j in extremes(s.information, rows):
            label = regime.labels[j]
            table.add_row(
                str(j),
                Text(str(label), STYLES[label]),
                f"{s.information[j]:.3f}",
                f"{s.information_se[j]:.3f}",
                Text(self._spark([row[j] for row in self._history[key] if len(row) > j]), STYLES[label]),
                Text(self._remark(key, j, label, s), "red"),
            )
        return table

    def _remark(self, key: tuple[str, str], j: int, label: Label, s: Snapshot) -> str:
        alert = self._fading.get((*key, j))
        if alert is None or label is Label.PASSIVE or alert.forecast is None:
            return ""
        several = len(alert.dimensions) > 1
        highest = alert.evidence.get(f"from_{j}" if several else "from", math.inf)
        if s.information[j] >= RECOVERED_SHARE * highest:
            return ""
        expected = alert.evidence.get(f"forecast_{j}", alert.forecast.step)
        if s.step > expected:
            return f"expected by step {expected:.0f}, still in use"
        return f"fading, out of use at about step {expected:.0f}"

    def _spark(self, values: list[float]) -> str:
        top = max([v for v in values if v == v] + [INFORMATIVE])
        steps = len(self._bars) - 1
        return "".join(" " if v != v else self._bars[round(max(v, 0.0) / top * steps)] for v in values)


def _style(alert: Alert) -> str:
    if alert.kind in NOTES:
        return "dim"
    return "green" if alert.kind in GOOD else "bold red" if alert.kind is AlertKind.COLLAPSE else "red"
