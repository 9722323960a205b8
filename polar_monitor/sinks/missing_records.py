"""Evaluations that a log has lost: their running numbers are missing between those of its records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Numbered(NamedTuple):
    """One record of a latent, in any mode."""

    number: int
    """Running number of the evaluation; 0 if no monitor wrote it."""
    step: int
    resumed: bool
    """True for the first evaluation after a `load_state_dict`, which may continue another log."""


class Missing(NamedTuple):
    """Number of missing evaluations, and the places in words, such as "before step 40"."""

    evaluations: int
    places: str


def missing_records(records: Iterable[Numbered]) -> Missing:
    """Return the gaps between the records of one latent.

    Example:
        >>> missing_records([Numbered(3, 30, False), Numbered(4, 40, False), Numbered(6, 60, False)])
        Missing(evaluations=3, places='before step 30, between steps 40 and 60')
    """
    count, places = 0, list[str]()
    before: Numbered | None = None
    for record in sorted(record for record in records if record.number > 0):
        number = record.number if before is None and record.resumed else 1 if before is None else before.number + 1
        if record.number > number:
            count += record.number - number
            start = f"before step {record.step:,}"
            places.append(start if before is None else f"between steps {before.step:,} and {record.step:,}")
        before = record
    shown = ", ".join(places[:3]) + (f", and {len(places) - 3} more" if len(places) > 3 else "")
    return Missing(count, shown)


def sentence_on(missing: Missing, name: str = "") -> str:
    """Return a sentence about missing evaluations; '' if there are none."""
    if not missing.evaluations:
        return ""
    evaluations = "1 evaluation" if missing.evaluations == 1 else f"{missing.evaluations:,} evaluations"
    return (
        f"the log has lost {evaluations}{f' of {name!r}' if name else ''} ({missing.places}): it was cut, removed or "
        "replaced while the run wrote to it, or could not be written"
    )
