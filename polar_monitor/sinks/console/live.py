"""The live view: progress, the dimensions in use, and the newest alerts, redrawn at every evaluation.

Needs rich. No thread: nothing moves between two evaluations. Every line is made for the width of the terminal: trends
and bars give way, numbers never do. Beside a progress bar of somebody else it prints lines, and draws the view at the
end.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import rich
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...alerts.alert import NOTES, Alert, AlertKind, add_alert, format_alert
from ...alerts.outlook import Outlook
from ...errors import printable
from ...evaluation import Evaluation
from ...regime.label import Label
from ...regime.regime import Regime
from ...regime.regime_table import by_use, folded, hidden
from ...statistics.snapshot import Snapshot
from ...statistics.thresholds import INFORMATIVE
from .plain_line import overhead_words, plain_line

STYLES = {Label.ACTIVE: "bold cyan", Label.MIXED: "yellow", Label.PASSIVE: "dim", Label.UNDECIDED: "magenta"}
GOOD = {AlertKind.REVIVED}
MAX_TREND = 24
"""Evaluations in a trend."""
MIN_TREND = 6
"""Columns below which no trend is drawn."""
MAX_ALERTS = 6
"""Alerts that stay in view."""
MIN_ROWS = 3
"""Rows of dimensions, however little room there is."""
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-~=+*#"


class LiveConsole:
    """View of the latents, redrawn in place on a terminal at every evaluation."""

    def __init__(self, total: int | None = None, terminal: Console | None = None) -> None:
        self.total = total
        self._terminal = terminal or Console()
        self._live: Live | None = None
        self._beside = False
        """True once a progress bar of somebody else was on the terminal: the next one would draw into the view."""
        self._last: Group | None = None
        """Newest view, while it is not on the terminal."""
        self._history: dict[tuple[str, str], deque[list[float]]] = {}
        self._outlooks: dict[tuple[str, str], Outlook] = {}
        self._alerts: deque[Alert] = deque(maxlen=MAX_ALERTS)
        self._began = time.monotonic()
        self._bars = BARS if "utf" in (self._terminal.encoding or "").lower() else ASCII_BARS

    def begin(self, name: str, setup: Mapping[str, Any]) -> None:
        """Say that the kernels are prepared, which takes seconds once on a machine."""
        self._terminal.print(
            Text("preparing the kernels: some ten seconds if this machine has to compile them …", "dim")
        )

    def say(self, words: str) -> None:
        """Print a line above the view, such as a new phase of the training."""
        self._terminal.print(Text(printable(words), style="bold"))

    def write(self, evaluation: Evaluation) -> None:
        """Redraw the view; from the first progress bar of somebody else on, print a line above it."""
        view = self.view(evaluation)
        self._beside = self._beside or bars_of_others()
        if not self._beside:
            self._draw(view)
            return
        self._stop()
        self._last = view
        for line in (plain_line(evaluation, self.total), *(f"  {format_alert(alert)}" for alert in evaluation.alerts)):
            print_above_bars(line)

    def flush(self) -> None:
        """Do nothing: `write` draws the view."""

    def close(self) -> None:
        """Leave the last view on the terminal."""
        self._stop()
        if self._last is not None:
            self._terminal.print(self._last)
            self._last = None

    def _draw(self, view: Group) -> None:
        if self._live is None:
            # a bar of tqdm that is made while stderr is replaced would write to the replacement for ever
            self._live = Live(console=self._terminal, auto_refresh=False, redirect_stderr="tqdm" not in sys.modules)
            self._live.start()
        self._last = None
        self._live.update(view, refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def view(self, evaluation: Evaluation) -> Group:
        """Return the view of one evaluation: progress, verdict, the dimensions in use, last alerts."""
        key = (evaluation.name, evaluation.mode)
        outlook = self._outlooks.setdefault(key, Outlook())
        for alert in evaluation.alerts:
            add_alert(self._alerts, alert)
            outlook.add(alert)
        parts: list[Any] = [self._progress(evaluation)]
        news = self._newest()
        s, regime = evaluation.snapshot, evaluation.regime
        if s is None or regime is None:
            parts.append(Text("nothing observed yet", style="red"))
        else:
            self._history.setdefault(key, deque(maxlen=MAX_TREND)).append(s.information.tolist())
            room = max(self._terminal.height - len(news) - 5, MIN_ROWS)
            parts += [self._headline(s, regime), *self._rows(key, s, regime, room)]
        return Group(*parts, *news)

    def _newest(self) -> list[Text]:
        """Return the newest alerts in up to a third of the terminal; the newest one is complete and the last."""
        lines: list[Text] = []
        for alert in sorted(self._alerts, key=lambda one: one.step, reverse=True):
            text = textwrap.wrap(format_alert(alert), self._terminal.width, subsequent_indent="  ")
            if lines and len(lines) + len(text) > self._terminal.height // 3:
                break
            lines = [*(Text(line, style=_style(alert)) for line in text), *lines]
        return lines

    def _progress(self, evaluation: Evaluation) -> Table | Text:
        health = evaluation.health
        overhead = overhead_words(health.overhead, health.allowance_used, health.evaluations)
        if self.total is None:
            return Text(f"step {evaluation.step}  {overhead}")
        done = min(evaluation.step / self.total, 1.0)
        left = (time.monotonic() - self._began) * (1 - done) / done if done > 0 else 0.0
        before, after = f"step {evaluation.step}/{self.total}", f"{done:4.0%}  {left:.0f} s left"
        room = self._terminal.width - len(before) - len(after) - 4
        after, room = (f"{after}  {overhead}", room - len(overhead) - 2) if room > len(overhead) + 2 else (after, room)
        row = Table.grid(padding=(0, 1), expand=False)
        bar = ProgressBar(total=self.total, completed=min(evaluation.step, self.total), width=max(min(room, 30), 1))
        row.add_row(*((before, bar, after) if room >= MIN_TREND else (before, after)))
        return row

    def _headline(self, s: Snapshot, regime: Regime) -> Text:
        total = sum(value for value in s.information.tolist() if value == value)
        text = Text.assemble((str(regime.verdict).upper(), "bold"), f"  {total:.2f} nats  ")
        for label in Label:
            if regime.count(label):
                text.append(f"{regime.count(label)} {label}  ", STYLES[label])
        text.rstrip()
        return text

    def _rows(self, key: tuple[str, str], s: Snapshot, regime: Regime, room: int) -> list[Text]:
        """Return at most so many lines: the dimensions in use, those that were lost, and sentences on the rest."""
        outlook, width = self._outlooks[key], self._terminal.width
        shown, rest = by_use(regime, outlook.gone(regime.labels), s)
        room -= bool(rest)
        count = len(shown) if len(shown) <= room else max(room - 1, 1)
        remarks = {j: outlook.remark(j, regime.labels[j], float(s.information[j]), s.step) for j in shown[:count]}
        fixed = 33
        left = width - fixed - max((len(remark) + 2 for remark in remarks.values() if remark), default=0) - 2
        trend = min(left, MAX_TREND) if left >= MIN_TREND else 0
        top = max([v for row in self._history[key] for v in row if v == v] + [INFORMATIVE])
        rows = [Text(" dim  label         nats     ± se" + ("  trend" if trend else ""), "dim")] * bool(count)
        for j, remark in remarks.items():
            label = regime.labels[j]
            row = Text(f"{j:>4}  ", no_wrap=True, overflow="ellipsis")
            row.append(f"{label:<10}", STYLES[label])
            row.append(f" {s.information[j]:>6.3f}  {s.information_se[j]:>7.3f}")
            if trend:
                values = [row[j] for row in self._history[key] if len(row) > j][-trend:]
                row.append(f"  {self._spark(values, top):<{trend}}", STYLES[label])
            row.append(f"  {remark}" * bool(remark), "dim" if label is Label.PASSIVE else "red")
            rows.append(row)
        lines = [hidden(regime, s, shown[count:])] * (count < len(shown))
        lines += [folded(s, rest, lambda _: "passive")] * bool(rest)
        return rows + [Text(line, "dim", no_wrap=True, overflow="ellipsis") for line in lines]

    def _spark(self, values: list[float], top: float) -> str:
        steps = len(self._bars) - 1
        return "".join(" " if v != v else self._bars[round(max(v, 0.0) / top * steps)] for v in values)


def bars_of_others() -> bool:
    """Return True while a progress bar of tqdm or rich is on the terminal."""
    if _tqdm() is not None:
        return True
    shared = rich.get_console()
    return bool(getattr(shared, "_live_stack", None) or getattr(shared, "_live", None))


def print_above_bars(line: str) -> None:
    """Print a line where the bars of tqdm and rich let it stand."""
    line, tqdm = printable(line, keep=""), _tqdm()
    if tqdm is not None:
        tqdm.write(line)
    else:
        rich.get_console().print(Text(line))


def _tqdm() -> Any:
    """Return the class of tqdm's bars if one of them is on the terminal, else None."""
    tqdm = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    return tqdm if any(not bar.disable for bar in list(getattr(tqdm, "_instances", ()))) else None


def _style(alert: Alert) -> str:
    if alert.kind in NOTES:
        return "dim"
    return "green" if alert.kind in GOOD else "bold red" if alert.kind is AlertKind.COLLAPSE else "red"
