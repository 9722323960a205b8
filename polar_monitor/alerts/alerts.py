"""The alerts of a run as users get them: a tuple that shows itself in a console and in a notebook."""

from __future__ import annotations

import html

from ..errors import printable
from .alert import NOTES, Alert, format_alert, title

MAX_SHOWN = 16
"""Alerts that are shown, the newest."""
COLOUR, COLOUR_OF_NOTES = "#d55e00", "#8b949e"


class Alerts(tuple[Alert, ...]):
    """Alerts, oldest first. It is a tuple; only its texts are its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show a line for each of the newest alerts; none is `()`, as of any tuple."""
        if not self:
            return "()"
        older = len(self) - MAX_SHOWN
        lines = [f"{older} older alerts"] * (older > 0) + [format_alert(alert) for alert in self[-MAX_SHOWN:]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return a list for notebooks, the newest first."""
        if not self:
            return "<p>No alert so far.</p>"
        lines = []
        for alert in self[-MAX_SHOWN:][::-1]:
            colour = COLOUR_OF_NOTES if alert.kind in NOTES else COLOUR
            back = "" if alert.last_healthy_step is None else f"; last healthy step {alert.last_healthy_step:,}"
            kind = f"<b style='color:{colour}'>{html.escape(title(alert))}</b>"
            lines.append(f"<li>step {alert.step:,} {kind}: {html.escape(printable(alert.message + back))}</li>")
        older = len(self) - len(lines)
        return f"<ul>{''.join(lines)}</ul>" + (f"<p>{older} older alerts</p>" if older > 0 else "")
