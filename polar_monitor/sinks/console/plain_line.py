"""An evaluation as one line of ASCII."""

from __future__ import annotations

import numpy as np

from ...errors import printable
from ...evaluation import Evaluation
from ..scalars import LETTERS, label_letters

MAX_SHARE = 0.25
"""Share of the loop's time beyond which the seconds of the start allowance are shown, while some are spent.

A smaller one is one that a user may have chosen as `max_overhead`.
"""


def plain_line(evaluation: Evaluation, total: int | None = None) -> str:
    """Return step, verdict, counts of labels, total information and own time on one line, of 80 columns mostly."""
    goal = "" if total is None else f"/{total}"
    series = "/".join(part for part in (evaluation.name, "" if evaluation.mode == "train" else evaluation.mode) if part)
    series = printable(series, keep="")
    head = f"step {evaluation.step:>6}{goal}{f'  {series}' if series else ''}"
    s, regime, health = evaluation.snapshot, evaluation.regime, evaluation.health
    if s is None or regime is None:
        return f"{head}  nothing observed"
    letters = label_letters(regime.labels)
    counts = "  ".join(f"{n} {label}" for letter, label in LETTERS.items() if (n := letters.count(letter)))
    total_nats = float(np.nansum(s.information))
    overhead = overhead_words(health.overhead, health.allowance_used, health.evaluations)
    return f"{head}  {regime.verdict:<10}  {counts:<17}  {total_nats:6.2f} nats  {overhead}"


def overhead_words(overhead: float, allowance_used: float, evaluations: int) -> str:
    """Return the monitor's own time in a few words: while the start allowance pays for it, the seconds of that.

    In the first second of a run one evaluation is a large share of the time, which says nothing about the run.

    Example:
        >>> overhead_words(1.33, 0.0, 1), overhead_words(0.888, 0.41, 2), overhead_words(0.0096, 0.41, 30)
        ('overhead not known yet', 'start allowance 0.41 s', 'overhead 1.0%')
    """
    if overhead > MAX_SHARE and evaluations <= 1:
        return "overhead not known yet"
    if overhead > MAX_SHARE and allowance_used >= 0.005:
        return f"start allowance {allowance_used:.2f} s"
    return f"overhead {overhead:.1%}"
