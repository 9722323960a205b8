"""Runs as Markdown, for pull requests and notes: the sentences, the runs side by side, and the dimensions of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..views.rows import with_detail

MAX_SHOWN = 24
"""Rows of a table of dimensions."""


def markdown(runs: Sequence[dict[str, Any]]) -> str:
    """Return the documents of runs as Markdown; one run alone has a table of its dimensions."""
    drawn = [run for run in runs if not run["problem"]]
    lines = [f"**{escaped(run['title'])}**: {escaped(run['problem'] or run['text'])}\n" for run in runs]
    if len(drawn) > 1:
        lines += [f"Note on {escaped(run['title'])}: {escaped(note)}.\n" for run in drawn for note in run["notes"]]
        lines += _table(("run", "beta", "verdict", "in use", "nats", "step", "alerts"), map(_side_by_side, drawn))
    elif drawn:
        lines += _reason(drawn[0])
        lines += [f"Note: {escaped(note)}.\n" for note in drawn[0]["notes"]]
        lines += _table(("dim", "state", "nats", "since step", "next"), map(_dimension, _rows(drawn[0])))
        lines += [f"\n{len(fold['dimensions']):,} more: {fold['text']}." for fold in drawn[0]["folded"]]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in a table too.

    Example:
        >>> escaped("a|b*")
        'a\\\\|b\\\\*'
    """
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _table(head: Sequence[str], rows: Any) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _rows(run: dict[str, Any]) -> list[dict[str, Any]]:
    return list(run["lifelines"][:MAX_SHOWN])


def _dimension(row: dict[str, Any]) -> list[str]:
    nats = row["nats"][-1]
    number = "–" if nats is None else f"{nats:.2f}"
    return [str(row["dimension"]), row["state"], number, f"{row['since']:,}", with_detail(row)]


def _side_by_side(run: dict[str, Any]) -> list[str]:
    beta, alerts = run["context"].get("beta"), [one for one in run["alerts"] if one["kind"] != "settling"]
    numbers = ("–" if beta is None else f"{beta:g}", run["verdict"].replace("_", " "))
    use = f"{run['in_use']} of {run['dimensions']}"
    return [escaped(run["title"]), *numbers, use, f"{run['nats']:.2f}", f"{run['step']:,}", str(len(alerts))]


def _reason(run: dict[str, Any]) -> list[str]:
    reason = run["reason"]
    if reason is None:
        return []
    back = "" if reason["healthy"] is None else f" Last healthy step: {reason['healthy']:,}."
    text = (
        f"{reason['kind']} at step {reason['step']:,}: {reason['message']}. Why: {reason['why']}. Do: {reason['do']}."
    )
    return [f"> {escaped(text + back)}\n"]
