"""From the blocks of a row to its slow-downs with intervals, and to two tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .measure import BLOCK, Row
from .trackers import LOG_FREQ

TRIM = 0.2
"""Share of blocks left out at either end: other programs on the machine disturb some."""
Part = tuple[float, Sequence[float]]
"""A weight, and values of whose mean it is the weight."""


def trimmed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis without the ends."""
    cut = int(TRIM * values.shape[-1])
    return np.asarray(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1))


def estimate(parts: Sequence[Part]) -> tuple[float, float, float]:
    """Weighted sum of trimmed means, and its bootstrap 95 % interval: each part is drawn anew by itself."""
    random = np.random.default_rng(0)
    mean, draws = 0.0, np.zeros(2000)
    for weight, values in parts:
        if weight and len(values):
            mean += weight * float(trimmed(np.array(values)))
            draws += weight * trimmed(random.choice(np.array(values), (2000, len(values))))
    low, high = np.quantile(draws, [0.025, 0.975])
    return mean, float(low), float(high)


def said(parts: Sequence[Part] | None) -> str:
    """A slow-down in per cent with its interval."""
    if parts is None:
        return "not installed"
    mean, low, high = (100 * value for value in estimate(parts))
    digits = 2 if abs(mean) < 10 else 0
    return f"{mean:.{digits}f} % ({low:.{digits}f} to {high:.{digits}f})"


def ours(row: Row) -> list[Part]:
    """Blocks at rest, blocks with recorded steps as often as they come, and evaluations."""
    share = len(row.awake) / max(len(row.awake) + len(row.resting), 1)
    return [(1 - share, row.resting), (share, row.awake), (1 / (row.every * row.pace), row.evaluations)]


def theirs(row: Row, peer: str, interval: int) -> list[Part] | None:
    """What a peer does at an interval is charged at this one."""
    if peer not in row.peers:
        return None
    if peer in ("each", "all"):
        return [(BLOCK / interval, row.peers[peer])]  # one call a block, and nothing at other steps
    return [(1.0, row.peers[peer]), (1 / (interval * row.pace), row.events[peer])]


def interval(row: Row) -> str:
    """Steps between two evaluations, in words."""
    return str(row.every) if row.settled else f"{row.every}, growing"


def line(row: Row) -> str:
    """All about the monitor in one row, in words."""
    return (
        f"{row.name}, D = {row.latents}: {1e3 * row.pace:.2f} ms a step, {row.rounds} rounds; with the monitor "
        f"{said(ours(row))}: at rest {said([(1.0, row.resting)])}, recording {said([(1.0, row.awake)])} in "
        f"{row.recording:.0%} of the steps, {1e3 * float(np.median(row.evaluations)):.1f} ms every {interval(row)}; "
        f"its own account {row.said:.2%}; control {said([(1.0, row.control)])}"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tables(rows: list[Row]) -> str:
    """The monitor by itself, and beside its peers."""
    first = [
        [
            row.name,
            str(row.latents),
            f"{1e3 * row.pace:.1f} ms",
            f"{1e3 * float(np.median(row.evaluations)):.0f} ms",
            interval(row),
            said(ours(row)),
            said([(1.0, row.control)]),
        ]
        for row in rows
    ]
    second = [
        [
            row.name,
            str(row.latents),
            f"{100 * estimate(ours(row))[0]:.2f} %",
            said(theirs(row, "each", LOG_FREQ)),
            said(theirs(row, "each", row.every)),
            said(theirs(row, "all", LOG_FREQ)),
            said(theirs(row, "all", row.every)),
            said(theirs(row, "wandb", LOG_FREQ)),
            said(theirs(row, "delve", row.every)),
        ]
        for row in rows
    ]
    own = table(["model", "D", "step", "evaluation", "every", "with the monitor", "without, again"], first)
    every = [f"every {LOG_FREQ}", "at our interval"]
    names = [f"a histogram a dimension, {when}" for when in every] + [f"one histogram, {when}" for when in every]
    peers = table(["model", "D", "the monitor", *names, "`wandb.watch`", "Delve"], second)
    return f"{own}\n\n{peers}"
