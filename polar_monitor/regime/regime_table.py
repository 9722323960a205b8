"""A regime as a table that fits the terminal: dimensions in use first, the rest folded into one line each."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import printable
from ..statistics.snapshot import Array, Snapshot
from .label import INFORMATIVE_LABELS, Label

if TYPE_CHECKING:
    from .regime import Regime

UNSEEN = (100, 40)
"""Columns and lines where the output is no terminal."""
MIN_WIDTH, MIN_HEIGHT = 40, 10
"""Columns and lines of the smallest terminal; a table does not become smaller."""
NARROW = 60
"""Columns below which the sentence on what has no room may take two lines."""
MIN_ROWS = 3
"""Rows of a table, however little room there is."""
OPTIONAL = (
    ("drift_share", "drift ± se", "14.2f"),
    ("reliability", "reliability", "13.3f"),
    ("kl", "KL", "7.2f"),
    ("share_active", "in use by", "11.0%"),
)
"""Statistic, head and form of the columns that only a terminal of their width shows, the last one first."""


def terminal_size() -> tuple[int, int]:
    """Return columns and lines of the terminal, or of a page where there is none."""
    size = shutil.get_terminal_size(UNSEEN)
    return max(size.columns, MIN_WIDTH), max(size.lines, MIN_HEIGHT)


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width` columns, two from the edge; those after the first have four."""
    return textwrap.wrap(printable(text, keep=""), width, initial_indent="  ", subsequent_indent="    ") or [""]


def counts(regime: Regime) -> str:
    """Return how many dimensions have each label."""
    return ", ".join(f"{regime.count(label)} {label}" for label in Label if regime.count(label))


def by_use(regime: Regime, gone: Sequence[int], s: Snapshot) -> tuple[list[int], list[int]]:
    """Return the dimensions that deserve a row, and the others.

    Rows are for those in use, by nats, then for undecided ones, then for those of `gone`.
    """
    rank = np.argsort(-np.nan_to_num(s.information, nan=-1.0), kind="stable").tolist()
    used = [j for j in rank if regime.labels[j] in INFORMATIVE_LABELS]
    open_ = [j for j in rank if regime.labels[j] is Label.UNDECIDED]
    shown = list(dict.fromkeys((*used, *open_, *gone)))
    return shown, [j for j in rank if j not in set(shown)]


def table(
    regime: Regime,
    width: int,
    rows: int | None,
    *,
    gone: Sequence[int] = (),
    remark: Callable[[int], str] = lambda j: "",
    more: Callable[[int | None], str] = lambda j: "",
    judgement: Callable[[Sequence[int]], str] = lambda rest: "passive",
) -> list[str]:
    """Return the head and at most `rows` lines (None: a line for each dimension); numbers are never cut.

    `remark` ends the row of a dimension, or stands below it where there is no room; `more` gives further columns (their
    head for None), and `judgement` says what the folded ones are.
    """
    s = regime.snapshot
    if s is None:
        return []
    shown, rest = by_use(regime, gone, s)
    if rows is None:
        shown, rest = [*shown, *rest], []
    remarks = {j: remark(j) for j in shown}
    fixed = len(_row(regime, s, 0, (), more))
    optional: list[tuple[str, str, str]] = []
    needed = max(map(len, remarks.values()), default=0)
    left = width - fixed - (needed + 2) * bool(needed)
    for column in reversed(OPTIONAL):
        if _size(column) <= left and np.isfinite(getattr(s, column[0])).any():
            left -= _size(column)
            optional.insert(0, column)
    drawn: list[list[str]] = []
    for j in shown:
        row = _row(regime, s, j, optional, more)
        joined = f"{row}  {remarks[j]}".rstrip()
        drawn.append([joined] if len(joined) <= width else [row, f"       {remarks[j]}"])
    under = wrapped(folded(s, rest, judgement), width) if rest else []
    count = len(drawn) if rows is None else _fitting(drawn, max(rows - len(under), MIN_ROWS), 1 + (width < NARROW))
    heads = "".join(f"{column[1]:>{_size(column)}}" for column in optional)
    lines = [f"  dim  label        nats      ± se{heads}{more(None)}"] * bool(count)
    lines += [line for row in drawn[:count] for line in row]
    return [*lines, *(wrapped(hidden(regime, s, shown[count:]), width) if shown[count:] else []), *under]


def _fitting(rows: Sequence[Sequence[str]], room: int, kept: int) -> int:
    """Return how many rows fit; if not all do, `kept` lines stay free for the sentence on those that do not."""
    if sum(map(len, rows)) <= room:
        return len(rows)
    used = 0
    for count, row in enumerate(rows):
        used += len(row)
        if used > room - kept:
            return max(count, 1)
    return len(rows)


def _row(
    regime: Regime, s: Snapshot, j: int, optional: Sequence[tuple[str, str, str]], more: Callable[[int | None], str]
) -> str:
    numbers = "".join(_or_dash(getattr(s, name), j, form) for name, _, form in optional)
    head = f"  {j:>3}  {regime.labels[j]:<10} {s.information[j]:>6.3f}  {s.information_se[j]:>8.3f}"
    return f"{head}{numbers}{more(j)}"


def hidden(regime: Regime, s: Snapshot, which: Sequence[int]) -> str:
    """Return a line for the dimensions that deserve a row and have no room."""
    used = sum(regime.labels[j] in INFORMATIVE_LABELS for j in which)
    open_ = sum(regime.labels[j] is Label.UNDECIDED for j in which)
    parts = ((used, "in use"), (open_, "undecided"), (len(which) - used - open_, "out of use"))
    return f"{len(which)} more, {up_to(s, which)}: {', '.join(f'{count} {word}' for count, word in parts if count)}"


def folded(s: Snapshot, rest: Sequence[int], judgement: Callable[[Sequence[int]], str]) -> str:
    """Return a line for the dimensions that deserve no row."""
    count = f"{len(rest)} more" if len(rest) < s.dimensions else f"all {len(rest)}"
    return f"{count}, {up_to(s, rest)}, {judgement(rest)}"


def up_to(s: Snapshot, which: Sequence[int]) -> str:
    """Return the highest information of some dimensions, as text."""
    nats = s.information[list(which)]
    known = nats[np.isfinite(nats)]
    if not known.size:
        return "no finite number"
    top = float(known.max())
    return f"{top:.3f} nats or less" if top >= 0.0005 else "less than 0.001 nats"


def regime_text(regime: Regime) -> str:
    """Return step, verdict, reasons and the table of a regime, on one screen."""
    width, height = terminal_size()
    head = [f"step {regime.step:,}: {regime.verdict}; {counts(regime)}"]
    head += [line for reason in regime.reasons for line in wrapped(reason, width)]
    body = table(regime, width, height - len(head) - 3)
    return "\n".join([*head, *([""] if body else []), *body])


def _size(column: tuple[str, str, str]) -> int:
    return max(int(column[2].split(".")[0]), len(column[1]) + 2)


def _or_dash(values: Array | tuple[Array, Array], j: int, form: str) -> str:
    """Return the number of a dimension in its column, with its error if `values` are the numbers and their errors."""
    width, decimals = form.split(".")
    numbers = [float(array[j]) for array in (values if isinstance(values, tuple) else (values,))]
    if any(number != number for number in numbers):
        return "-".rjust(int(width))
    return " ± ".join(format(number, f".{decimals}") for number in numbers).rjust(int(width))
