"""An evaluation as one line of ASCII."""

from __future__ import annotations

import numpy as np

from ...errors import printable
from ...evaluation import Evaluation
from ..scalars import LETTERS, label_letters


def plain_line(evaluation: Evaluation, total: int | None = None) -> str:
    """Return step, verdict, counts of labels, total information and overhead on one line."""
    goal = "" if total is None else f"/{total}"
    series = "/".join(part for part in (evaluation.name, "" if evaluation.mode == "train" else evaluation.mode) if part)
    series = printable(series, keep="")
    head = f"step {evaluation.step:>6}{goal}{f'  {series}' if series else ''}"
    s, regime = evaluation.snapshot, evaluation.regime
    if s is None or regime is None:
        return f"{head}  nothing observed"
    letters = label_letters(regime.labels)
    counts = "  ".join(f"{label} {letters.count(letter)}" for letter, label in LETTERS.items())
    total_nats = float(np.nansum(s.information))
    return f"{head}  {regime.verdict:<13}  {counts}  {total_nats:7.3f} nats  overhead {evaluation.health.overhead:.1%}"
