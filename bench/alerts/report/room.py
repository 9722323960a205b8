"""The room for a warning: how many evaluations lie between onset and loss, and the leads that they allow at best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..scoring.density import DENSITIES
from ..scoring.outcomes import Outcome
from ..scoring.tally import LOOKS, SEEN, looks
from ..scoring.truth import STRICT, Loss, events
from ..training.record import Run
from .tables import markdown

PLACES = ("first", "second", "third")


def room(outcomes: Sequence[Outcome]) -> str:
    """Gradual losses by the number of evaluations, and the median lead of an alarm that comes at the first, … of them.

    The leads are those of losses with `LOOKS` evaluations or more, which are the ones that a density must warn of. No
    rule can be earlier than the first evaluation after an onset; one that has to see a fall twice waits for the second.
    """
    rows = []
    for density in DENSITIES:
        cases = [case for one in outcomes for case in _gradual(one.runs[density])]
        counts = np.array([looks(run, loss.onset + 1, loss.at) for run, loss in cases])
        few = [str(int(np.sum(counts == n))) for n in range(LOOKS)]
        leads = [_leads(run, loss) for (run, loss), n in zip(cases, counts, strict=True) if n >= LOOKS]
        best = [f"{np.median(each):.2f}" for each in zip(*leads, strict=True)] if leads else ["–"] * len(PLACES)
        rows.append([density, str(len(cases)), *few, str(len(leads)), *best])
    numbers = [str(n) for n in range(LOOKS)]
    names = ["density", "gradual losses", *(f"{n} evaluations" for n in [*numbers, f"{LOOKS} or more"])]
    return markdown([*names, *(f"lead at the {place}" for place in PLACES)], rows)


def _gradual(run: Run) -> Iterator[tuple[Run, Loss]]:
    for loss in events(run, STRICT).losses:
        if not (loss.sudden or loss.settling) and looks(run, loss.since, loss.at) >= SEEN:
            yield run, loss


def _leads(run: Run, loss: Loss) -> list[float]:
    """Lead of an alarm at each of the first evaluations after the onset, as a share of the time to the loss."""
    begin = int(np.searchsorted(run.steps, loss.onset + 1))
    return [(loss.at - int(step)) / loss.length for step in run.steps[begin : begin + len(PLACES)]]
