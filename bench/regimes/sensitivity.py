"""What the cuts of the ground truth rest on: `python -m bench.regimes.sensitivity [--cache .regimes]`.

Prints how the rises of all recorded models are distributed over the cuts, in units, and how many dimensions get
another label at half and at twice the cuts. No label of the library enters.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .training import truth
from .training.record import Trained, load_all

EDGES = (-math.inf, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, math.inf)
"""Of the histograms, in units: the cut for use and its halves and doubles."""


def relabelled(one: Trained, factor: float) -> tuple[str, ...]:
    """The labels of one model with all cuts multiplied."""
    return truth.labels(one.rows, one.scale, mixed=not math.isnan(one.price), factor=factor)


def pooled(found: Sequence[Trained]) -> str:
    """Histograms of mean rises over dimensions, and of the rises of single inputs."""
    ends = [f"{edge:g}" for edge in EDGES[1:-1]]
    lines = [f"{'':28}" + "".join(f"{f'≤ {end}':>9}" for end in ends) + f"{f'> {ends[-1]}':>9}"]
    for kind, priced in (("VAEs", True), ("autoencoders", False)):
        chosen = [one for one in found if math.isnan(one.price) != priced]
        if chosen:
            means = np.concatenate([one.rise / one.scale for one in chosen])
            rows = np.concatenate([(one.rows / one.scale).ravel() for one in chosen])
            lines.append(f"{f'{kind}, dimensions':28}" + "".join(f"{n:9}" for n in np.histogram(means, EDGES)[0]))
            shares = np.histogram(rows, EDGES)[0] / len(rows)
            lines.append(f"{f'{kind}, single inputs':28}" + "".join(f"{share:9.2%}" for share in shares))
    return "\n".join(lines)


def changes(found: Sequence[Trained]) -> str:
    """How many labels differ at half and at twice the cuts, and how many of those between passive and in use."""
    total = sum(one.dimensions for one in found)
    lines = [f"{len(found)} models, {total} dimensions"]
    for factor in (0.5, 2.0):
        pairs = [pair for one in found for pair in zip(one.truth, relabelled(one, factor), strict=True)]
        other = sum(a != b for a, b in pairs)
        use = sum((a == "passive") != (b == "passive") for a, b in pairs)
        lines.append(f"cuts times {factor:g}: {other} other labels ({other / total:.1%}), {use} of them passive or not")
    counts = [label for one in found for label in one.truth]
    lines.append(", ".join(f"{counts.count(label)} {label}" for label in ("active", "mixed", "passive", "unclear")))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the cuts of the ground truth rest on.")
    parser.add_argument("--cache", type=Path, default=Path(".regimes"), help="folder of the records")
    found = list(load_all(parser.parse_args().cache))
    print(pooled(found))
    print(changes(found))


if __name__ == "__main__":
    main()
