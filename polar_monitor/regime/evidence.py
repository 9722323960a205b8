"""The rule by which a label follows the evidence from one evaluation to the next.

A label answers three questions: is the dimension passive, is it informative, is it mixed? Let x be the distance of this
evaluation from the cut of a question, in standard errors, on the side of the other answer.

* An answer that is not known is given by the 95 % bounds, as `classify` does.
* A known answer changes at once if x > `Z_CHANGE`: both bounds of the 99.9 % interval lie on the other side.
* Nearer to the cut it changes when S = max(0, S + f (d x − d²/2)) reaches `MIN_EVIDENCE`, with d = `DRIFT`. S is the
  log of a likelihood ratio (Page's CUSUM): the cut against a dimension d standard errors beyond it. f is the share of
  the window's rows that are new since the evaluation before, so that no row counts twice, however often one looks.

A window without a valley in log σ² counts as d standard errors against mixed: it has no error of its own, and in a
dimension whose rarer kind is about 5 % of the inputs one window shows the valley and the next does not. For a
dimension that is mixed by a nearly empty valley alone a window without one counts as much, as long as its shares allow
two kinds.

For a stationary dimension on the cut the first rule errs in 1 of 2,000 independent windows, and the second at most as
often (Lorden 1971: the mean time to an error is at least exp(`MIN_EVIDENCE`) windows): together at most 1 in 1,000.
"""

from __future__ import annotations

import math

import numpy as np

from ..statistics.snapshot import Snapshot
from .label_codes import CODED_LABELS, MIXED, PASSIVE, Codes, as_array

Z_CHANGE = 3.29
"""Standard errors beyond a cut at which one evaluation changes an answer: half the width of a 99.9 % interval."""
DRIFT = 1.0
"""Standard errors beyond the cut for which the sum of evidence is the quickest."""
MIN_EVIDENCE = math.log(2000.0)
"""Sum of evidence that changes an answer."""
QUESTIONS = 3
"""Is it passive, is it informative, is it mixed?"""
MAX_NAMED = 5
"""Largest number of dimensions that a reason names."""
MOVES = 1 << 6
"""Bit of `Codes.sides` that marks a dimension that moves through a cut, by the rule of `motion.py`."""
GAP = 1 << 7
"""Bit of `Codes.sides` that marks a dimension that is mixed by a nearly empty valley, and not by the fixed places."""


def new_share(snapshot: Snapshot, previous: Snapshot | None) -> float:
    """Return the share of the window's rows that came after the previous snapshot; 1 if it is not known."""
    if previous is None or snapshot.rows < previous.rows:
        return 1.0
    return min((snapshot.rows - previous.rows) / max(snapshot.n, 1), 1.0)


def moves(codes: Codes, j: int) -> bool:
    """Return True if dimension j has no label because it moves through a cut."""
    return bool(codes.sides[j] & MOVES) and codes.labels[j] != codes.latest[j]


def moving_labels(s: Snapshot, codes: Codes) -> list[str]:
    """Return a sentence that names the dimensions that move through a cut, with numbers; none if none does."""
    if codes.labels == codes.latest:
        return []
    which = [j for j in range(len(codes.labels)) if moves(codes, j)]
    return [f"undecided while they move through a cut: {_named(s, codes, which)}"] if which else []


def held_labels(s: Snapshot, codes: Codes) -> list[str]:
    """Return a sentence that names the dimensions whose label is held, with numbers; none if none is."""
    if codes.labels == codes.latest:
        return []
    which = np.flatnonzero(as_array(codes.labels) != as_array(codes.latest)).tolist()
    which = [j for j in which if not moves(codes, j)]
    return [f"held near a cut until the evidence for a change is there: {_named(s, codes, which)}"] if which else []


def _named(s: Snapshot, codes: Codes, which: list[int]) -> str:
    named = [
        f"dimension {j} {CODED_LABELS[codes.labels[j]]} at {s.information[j]:.3f} ± {s.information_se[j]:.3f} nats "
        f"({evidence_of_change(codes, j)})"
        for j in which[:MAX_NAMED]
    ]
    more = f", and {len(which) - MAX_NAMED} more" if len(which) > MAX_NAMED else ""
    return f"{', '.join(named)}{more}"


def evidence_of_change(codes: Codes, j: int) -> str:
    """Say which label this evaluation alone gives dimension j, and why it has another one."""
    label, latest = codes.labels[j], codes.latest[j]
    text = f"this evaluation alone says {CODED_LABELS[latest]}"
    if moves(codes, j):
        way = "rises" if latest == PASSIVE else "falls"
        return f"{text}; it {way} and, at its rate since the evaluation before, soon crosses the cut"
    question = 0 if PASSIVE in (label, latest) else 2 if MIXED in (label, latest) else 1
    total = np.frombuffer(codes.evidence)[question * len(codes.labels) + j]
    return f"{text}; evidence for a change {math.floor(10.0 * total) / 10.0:.1f} of {MIN_EVIDENCE:.1f}"
