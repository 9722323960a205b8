"""Labels of the dimensions and the verdict on the model, with their explanation."""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import printable
from ..statistics.resolution import RESOLUTION, has_gain
from ..statistics.snapshot import Snapshot
from ..statistics.thresholds import INFORMATIVE, INFORMATIVE_MEAN_ONLY, MIN_ROWS, PASSIVE
from .disagreement import disagree, disagreements, opinions
from .evidence import GAP, MOVES, QUESTIONS, evidence_of_change, moves
from .information import by_information, movement, sentence
from .label import INFORMATIVE_LABELS, Label, checked_label
from .label_codes import CODES, Codes, decode, encode, informative, numbers
from .published import CRITERIA, MAX_DELTA_KL, delta_kl
from .regime_html import regime_html
from .regime_table import counts, regime_text

MAX_SHRINKAGE = 3.0
"""Fall of a code's own scale beyond which no dimension is called revived, and the verdict names it."""
MAX_SIDES = 0b101010
"""Answers about a dimension of which each is yes."""


class Verdict(enum.StrEnum):
    """State of the model as a whole."""

    POLARISED = "polarised"
    ALL_ACTIVE = "all_active"
    COLLAPSED = "collapsed"
    GRADED = "graded"
    NOT_ESTIMABLE = "not_estimable"


@dataclass(frozen=True)
class Regime:
    """Labels of all dimensions and the verdict on the model.

    A label follows the evidence of all evaluations so far: it changes at once if one evaluation is far beyond a cut,
    and near a cut when the evidence adds up. The verdict and its reasons are of these labels and of this snapshot.
    """

    step: int
    labels: tuple[Label, ...]
    latest: tuple[Label, ...]
    """Labels by this evaluation alone, as `classify` gives them."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences that give the numbers behind the verdict, the dimensions that could not be judged, and the labels that
    are held although this evaluation alone says otherwise."""
    criterion: str = "information"
    was_informative: bool = False
    """True if a dimension is active or mixed, or was at an evaluation before."""
    sides: tuple[int, ...] = ()
    """Answers about each dimension, for the next evaluation: two bits each for passive, informative and mixed, with 0
    not known, 1 no, 2 yes; 64 more for a dimension that moves through a cut. Empty in logs of older versions."""
    evidence: tuple[float, ...] = ()
    """Evidence against each answer: of all dimensions for passive, then for informative, then for mixed."""
    scale: float = 0.0
    """Largest scale of the code at the last evaluation at which it was not falling: forgotten by 3 % at each such one;
    that of the decoder's outputs where its gains are known. 0 where something else gives the scale."""
    usual_scale: float = 0.0
    """Slow average of the scale. One below it is falling."""
    scale_block: tuple[float, ...] = ()
    """Slow average at the beginning of the present block of 32 evaluations, the evaluations since, and 1 if it fell in
    the block before, else 0. Empty where something else gives the scale."""
    snapshot: Snapshot | None = field(default=None, repr=False, compare=False)
    """Statistics that were judged; not part of `to_dict`."""

    @classmethod
    def from_codes(
        cls,
        snapshot: Snapshot,
        codes: Codes,
        verdict: Verdict,
        reasons: tuple[str, ...],
        criterion: str,
        was_informative: bool,
        scale: float = 0.0,
        usual_scale: float = 0.0,
        scale_block: tuple[float, ...] = (),
    ) -> Regime:
        """Return the regime of a snapshot; it keeps the codes for the next evaluation."""
        labels, latest, evidence = decode(codes.labels), decode(codes.latest), numbers(codes.evidence)
        regime = cls(
            snapshot.step, labels, latest, verdict, reasons, criterion, was_informative, tuple(codes.sides), evidence,
            scale, usual_scale, scale_block, snapshot,
        )  # fmt: skip
        vars(regime)["codes"] = codes
        return regime

    @cached_property
    def codes(self) -> Codes:
        """The labels, the answers and the evidence as bytes."""
        n = len(self.labels)
        sides = bytes(self.sides) if len(self.sides) == n else bytes(n)
        evidence = self.evidence if len(self.evidence) == QUESTIONS * n else (0.0,) * (QUESTIONS * n)
        return Codes(encode(self.labels), encode(self.latest), sides, np.array(evidence, np.float64).tobytes())

    def __repr__(self) -> str:
        """Describe the regime in a line: the verdict, and how many dimensions have each label."""
        return f"<Regime of step {self.step}: {self.verdict}; {counts(self)}>"

    def __str__(self) -> str:
        """Return the verdict, its reasons and a table that fits the terminal: in use first, the rest folded."""
        return regime_text(self)

    def _repr_html_(self) -> str:
        """Return the verdict and a table of the dimensions, for notebooks."""
        return regime_html(self)

    def explain(self, dimension: int | None = None) -> str:
        """Explain the label of `dimension`, with a line for each published criterion that disagrees.

        Without a dimension, explain the verdict and list the counts of the criteria. Raises TypeError unless
        `dimension` is a whole number, and IndexError if there is no such dimension.

        Example:
            >>> import numpy as np, polar_monitor
            >>> mean = np.full((1000, 1), 2.0)
            >>> regime = polar_monitor.classify(mean, var=np.ones((1000, 1)))
            >>> _, _, line, *_ = regime.explain(0).splitlines()
            >>> print(line.removesuffix("; our estimate is 0 nats"))
              kl says active: KL = 2 nats is above 0.1 nats, but 2 nats are the aggregate posterior's distance \
from the prior (KL − I_G)
        """
        if dimension is None:
            return "\n  ".join(
                [
                    f"the verdict is {self.verdict}",
                    *(printable(reason, keep="") for reason in self.reasons),
                    *self._counts(),
                ]
            )
        try:
            dimension = operator.index(dimension)
        except TypeError:
            raise TypeError(
                f"expected the number of a dimension, a whole number from 0 to {len(self.labels) - 1}, "
                f"got {dimension!r}: explain(0), or explain() for the model"
            ) from None
        if not 0 <= dimension < len(self.labels):
            raise IndexError(f"expected a dimension from 0 to {len(self.labels) - 1}, got {dimension}")
        label, latest = self.labels[dimension], self.latest[dimension]
        text = f"dimension {dimension} is {label}"
        if latest is not label:
            held = "" if moves(self.codes, dimension) else "held "
            text = f"dimension {dimension} is {held}{label}; {evidence_of_change(self.codes, dimension)}"
        if self.criterion != "information":
            text += f": criterion {self.criterion}: {CRITERIA[self.criterion]}"
        elif self.snapshot is not None:
            text += f": {sentence(self.snapshot, dimension, latest)}"
        moved = "" if self.snapshot is None else movement(self.snapshot, dimension)
        return "\n  ".join([text, *([moved] if moved else []), *self._others(dimension)])

    def _others(self, j: int) -> Iterator[str]:
        """Yield a line for each other criterion that disagrees about dimension j in this evaluation."""
        s, latest = self.snapshot, self.latest[j]
        if s is None:
            return
        if self.criterion == "information":
            if latest is not Label.UNDECIDED:
                yield from disagreements(s, j, latest)
            elif labels := opinions(s, j):
                yield f"the published criteria: {labels}"
            return
        chosen = CRITERIA[self.criterion]
        yield f"the numbers: {chosen.explain(s, j)}"
        ours = by_information(s)[j]
        if disagree(latest, ours, chosen.knows_mixed) or latest is Label.UNDECIDED:
            yield f"information says {ours}: {sentence(s, j, ours)}"
        for name, criterion in CRITERIA.items():
            label = criterion(s)[j]
            if disagree(label, latest, chosen.knows_mixed and criterion.knows_mixed):
                yield f"{name} says {label}: {criterion.explain(s, j)}"

    def _counts(self) -> Iterator[str]:
        """Yield Δ_KL if the prior is N(0, 1), and the number of active and of mixed dimensions by each criterion."""
        if self.snapshot is None:
            return
        change = delta_kl(self.snapshot)
        if math.isfinite(change):
            yield f"Δ_KL of Rolinek et al. is {change:.1%}; below {MAX_DELTA_KL:.0%} they call a regime polarised"
        for label in INFORMATIVE_LABELS:
            counts = {name: criterion(self.snapshot).count(label) for name, criterion in CRITERIA.items()}
            if any(counts.values()):
                yield f"{label} by criterion: " + ", ".join(f"{name} {n}" for name, n in counts.items() if n)

    @property
    def shrinkage(self) -> float:
        """Factor by which the scale of the code has fallen; 1 where it has not, and where it is not known."""
        s = self.snapshot
        if s is None or not self.scale > 0 or (has_gain(s) and s.gain.max() == 0):
            return 1.0
        return max(RESOLUTION * self.scale / s.resolution, 1.0)

    @property
    def has_shrunk(self) -> bool:
        """True if the code has shrunk so much that what seems to be in use may be what is left of a collapse."""
        return self.shrinkage > MAX_SHRINKAGE

    def count(self, label: Label | str) -> int:
        """Return the number of dimensions with this label. Raises PolarMonitorError for an unknown one.

        Example:
            >>> import numpy as np, polar_monitor
            >>> mean = np.random.default_rng(0).normal(size=(1000, 2))
            >>> polar_monitor.classify(mean, var=np.full((1000, 2), 0.1)).count("active")
            2
        """
        return self.codes.labels.count(CODES[checked_label(label)])

    @property
    def informative(self) -> tuple[int, ...]:
        """Numbers of the dimensions labelled active or mixed."""
        return informative(self.codes.labels)

    @property
    def likely_in_use(self) -> tuple[int, ...]:
        """Numbers of the dimensions in use where each has to be decided, for code that cannot wait.

        An undecided one is in use if its information is nearer to the cut of those in use than to that of the passive
        ones, as a ratio. One that cannot be estimated is not.
        """
        s, used = self.snapshot, set(self.informative)
        if s is not None and self.criterion == "information" and s.independent >= MIN_ROWS:
            middle = math.sqrt(PASSIVE * (INFORMATIVE if s.has_variance else INFORMATIVE_MEAN_ONLY))
            used |= {j for j in np.flatnonzero(s.information >= middle).tolist() if self.labels[j] is Label.UNDECIDED}
        return tuple(sorted(used))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it back."""
        left_out = ("snapshot", "codes", *(() if self.scale else ("scale", "usual_scale", "scale_block")))
        return {name: value for name, value in vars(self).items() if name not in left_out}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], snapshot: Snapshot | None = None) -> Regime:
        """Read what `to_dict` returns. Raises KeyError for a missing name, ValueError for an unknown label.

        Logs of older versions lack the answers and the evidence, which are not known then.
        """
        labels = tuple(Label(label) for label in data["labels"])
        informative = any(label in INFORMATIVE_LABELS for label in labels)
        sides, evidence = tuple(map(int, data.get("sides", ()))), tuple(map(float, data.get("evidence", ())))
        n, block = len(labels), tuple(map(float, data.get("scale_block", ())))
        if len(block) not in (0, 3):
            raise ValueError(f"expected a block of the scale of 3 numbers, got {len(block)}")
        if len(sides) not in (0, n) or len(evidence) not in (0, QUESTIONS * n):
            raise ValueError(f"expected answers about {n} dimensions, got {len(sides)} and {len(evidence)} numbers")
        if not all(side >= 0 and side & ~(MOVES | GAP) <= MAX_SIDES for side in sides) or not all(
            0.0 <= total < math.inf for total in evidence
        ):
            raise ValueError(f"expected answers from 0 to {MAX_SIDES} and evidence of at least 0")
        return cls(
            step=int(data["step"]),
            labels=labels,
            latest=tuple(Label(label) for label in data["latest"]),
            verdict=Verdict(data["verdict"]),
            reasons=tuple(data["reasons"]),
            criterion=str(data["criterion"]),
            was_informative=bool(data.get("was_informative", informative)),
            sides=sides,
            evidence=evidence,
            scale=float(data.get("scale", 0.0)),
            usual_scale=float(data.get("usual_scale", data.get("scale", 0.0))),
            scale_block=block,
            snapshot=snapshot,
        )
