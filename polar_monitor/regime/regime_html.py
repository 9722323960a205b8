"""A regime as a table for notebooks: dimensions in use first, passive ones in one line."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from ..errors import printable
from .label import Label

if TYPE_CHECKING:
    from .regime import Regime

MAX_SHOWN = 24
"""Rows of the table."""
COLOURS = {Label.ACTIVE: "#1f86c7", Label.MIXED: "#009e73", Label.UNDECIDED: "#a67600", Label.PASSIVE: "#8b949e"}
LEFT, RIGHT = ("text-align:" + side + ";padding:2px 10px" for side in ("left", "right"))
HEADS = (("dim", RIGHT), ("label", LEFT), ("nats ± se", RIGHT))


def regime_html(regime: Regime) -> str:
    """Return the verdict, its reasons, and a row for each dimension that is not passive, by nats."""
    snapshot, rows = regime.snapshot, []
    order = [j for j, label in enumerate(regime.labels) if label is not Label.PASSIVE]
    if snapshot is not None:
        nats = np.nan_to_num(snapshot.information, nan=-1.0)
        order.sort(key=lambda j: (-nats[j], j))
    for j in order[:MAX_SHOWN]:
        label = regime.labels[j]
        number = "" if snapshot is None else f"{snapshot.information[j]:.3f} ± {snapshot.information_se[j]:.3f}"
        name = f"<td style='color:{COLOURS[label]};{LEFT}'><b>{label}</b></td>"
        rows.append(f"<tr><td style='{RIGHT}'>{j}</td>{name}<td style='{RIGHT}'>{number}</td></tr>")
    passive, hidden = regime.count(Label.PASSIVE), max(len(order) - MAX_SHOWN, 0)
    rest = [f"{hidden} more that are not passive"] * (hidden > 0) + [f"{passive} passive"] * (passive > 0)
    lines = "".join(f"<p>{html.escape(printable(text))}</p>" for text in (", ".join(rest), *regime.reasons) if text)
    heads = "".join(f"<th style='{side}'>{name}</th>" for name, side in HEADS)
    table = f"<table><tr>{heads}</tr>{''.join(rows)}</table>" if rows else ""
    verdict = str(regime.verdict).replace("_", " ")
    of = f"step {regime.step:,}" if regime.step or snapshot is None else f"{snapshot.rows:,} rows"
    return f"<div><p><b>{verdict}</b> · {of}</p>{table}{lines}</div>"
