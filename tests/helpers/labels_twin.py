"""The rule of the labels for one dimension, written out slowly: the twin of the kernel `judging/labels`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

Z, Z_VALLEY, PASSIVE, INFORMATIVE, GAP, SHARE, VALLEY, MIN_ROWS = 1.96, 3.0, 0.05, 0.15, 0.02, 0.05, 0.85, 512
UPPER = 0.5
Z_CHANGE, DRIFT, MIN_EVIDENCE, Z_MOVES = 3.29, 1.0, 7.6, 4.0


@dataclass
class Answer:
    """The answer to one question; None while it is not known."""

    side: bool | None = None
    total: float = 0.0

    def follow(self, yes: bool, margin: float, share: float, moves: bool) -> None:
        """Take one evaluation: its own answer by 95 % bounds, and its distance from the cut towards yes."""
        if self.side is None or math.isnan(margin) or moves:
            self.side, self.total = (True if yes else False if margin <= -Z else None), 0.0
            return
        against = -margin if self.side else margin
        if against <= Z_CHANGE:
            self.total = max(0.0, self.total + share * (DRIFT * against - DRIFT**2 / 2))
        if against > Z_CHANGE or self.total >= MIN_EVIDENCE:
            self.side, self.total = not self.side, 0.0


@dataclass
class DimensionTwin:
    """A dimension and its three answers: passive, informative, mixed."""

    has_variance: bool
    answers: tuple[Answer, Answer, Answer] = field(default_factory=lambda: (Answer(), Answer(), Answer()))
    moves: bool = False
    """True if it moves through a cut."""
    by_gap: bool = False
    """True if it is mixed by a nearly empty valley alone."""

    def judge(
        self, values: Sequence[float], error: float, finite: float, share: float, before: float, ahead: float
    ) -> tuple[int, int]:
        """Return the codes of the label and of the label by this evaluation alone; the one `before` had this error."""
        self.moves = False
        information, upper, gap, low, high, valley, kind = values
        if math.isnan(information) or finite < MIN_ROWS:
            self.by_gap = False
            for answer in self.answers:
                answer.side, answer.total = None, 0.0
            return 1, 1
        certified = upper + Z * error <= PASSIVE
        passive = certified or information + Z * error <= PASSIVE
        informative = information - Z * error >= INFORMATIVE
        mixed = self.has_variance and valley + Z_VALLEY * error <= VALLEY and gap - Z * error >= GAP
        mixed = mixed and all(share - Z * error >= SHARE for share in (low, high))
        mixed = mixed or (self.has_variance and kind - Z * error >= UPPER)
        known = math.isfinite(error)
        below = distance(PASSIVE, information, error) if known else math.nan
        bound = distance(PASSIVE, upper, error) if known else math.nan
        if bound > below and (self.answers[0].side is not True or certified):
            below = bound
        above = distance(information, INFORMATIVE, error) if known else math.nan
        depth = distance(VALLEY, valley, error) * Z / Z_VALLEY
        parts = [distance(gap, GAP, error), distance(low, SHARE, error), distance(high, SHARE, error)]
        none_found = -Z if self.answers[2].side is None else -DRIFT
        parts.append(max(depth, none_found) if valley >= 1 else depth)
        kinds = least(parts)
        gaps = [distance(kind, UPPER, error)]
        if math.isnan(kind) and self.by_gap:
            gaps = [parts[1], distance(1.0 - SHARE, low, error), -DRIFT]
        by_gap = self.has_variance and not math.isnan(least(gaps)) and (math.isnan(kinds) or least(gaps) > kinds)
        kinds = least(gaps) if by_gap else kinds
        moves = ahead > 0 and abs(information - before) > Z_MOVES * math.sqrt(2) * error
        for answer, yes, margin in zip(self.answers, (passive, informative, mixed), (below, above, kinds), strict=True):
            answer.follow(yes, margin, share, moves and answer is not self.answers[2])
        self.by_gap = by_gap and self.answers[2].side is True
        label = code(*(answer.side is True for answer in self.answers))
        then = information + ahead * (information - before)
        self.moves = moves and ((label == 0 and then > PASSIVE) or (label == 3 and then < INFORMATIVE))
        return 1 if self.moves else label, code(passive, informative, mixed)


def code(passive: bool, informative: bool, mixed: bool) -> int:
    """Return the code of the label."""
    return 0 if passive else 2 if mixed else 3 if informative else 1


def least(parts: Sequence[float]) -> float:
    """Return the least part; NaN if one is not known."""
    return math.nan if any(map(math.isnan, parts)) else min(parts)


def distance(one: float, other: float, error: float) -> float:
    """Return (one - other) / error, as IEEE arithmetic has it."""
    difference = one - other
    if error == 0.0:
        return math.nan if difference == 0.0 or math.isnan(difference) else math.copysign(math.inf, difference)
    return difference / error
