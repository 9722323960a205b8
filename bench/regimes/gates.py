"""Two gates of a decoder on the recorded autoencoders: `python -m bench.regimes.gates [--records FOLDER]`.

A code is ignored if the loss surely rises by less than 1 % of itself where whole codes are swapped between inputs, or,
without a loss, if that changes the output by less than 10⁻⁴ of the variance of the data. Prints how often the two
decide alike, and the models that are nearest to either cut.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from polar_monitor.intervention.decoder_call import DecoderCall
from polar_monitor.intervention.gate import measure
from polar_monitor.statistics.thresholds import MIN_EFFECT

from .scoring.dimensions import data_variance
from .training.materials import rebuilt
from .training.record import load_all

MIN_RISE = 0.01
"""Rise of the loss, as a share of itself, below which the code is worth nothing to it."""
NEAREST = 4
"""Models on either side that are printed."""


class Gates(NamedTuple):
    """What the gates of one model are decided by."""

    name: str
    rise: float
    """Rise of the loss when the whole code is that of another input, as a share of the loss."""
    effect: float
    """Change of the output, as a share of the variance of the data."""


def measured(records: Path) -> list[Gates]:
    """Return the gates of all autoencoders among the records."""
    found = []
    for one in load_all(records):
        decoder = rebuilt(one)
        if decoder is not None:
            m = measure(DecoderCall.of(decoder.decode), one.mean, data_variance(one.name))
            found.append(Gates(one.name, one.rise_all / one.loss, m.effect))
    return found


def table(found: Sequence[Gates]) -> str:
    """Return the counts, and the models nearest to the cuts."""
    pairs = [(one.rise >= MIN_RISE, one.effect >= MIN_EFFECT) for one in found]
    differ = sum(by_loss != by_output for by_loss, by_output in pairs)
    lines = [
        f"{len(found)} autoencoders: both gates open {pairs.count((True, True))}, both closed "
        f"{pairs.count((False, False))}, they differ {differ}"
    ]
    ordered = sorted(found, key=lambda one: one.rise)
    closed = sum(not by_loss for by_loss, _ in pairs)
    nearest = ordered[max(closed - NEAREST, 0) : closed + NEAREST]
    lines += [
        f"  {one.name:36} loss {one.rise:8.2g} (cut 0.01)  output {one.effect:8.2g} (cut 1e-4)" for one in nearest
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.regimes.gates", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--records", type=Path, default=Path("build/regimes/records-full"), help="folder of the records"
    )
    print(table(measured(parser.parse_args().records)))


if __name__ == "__main__":
    main()
