"""Times of the sinks, and bytes of a log line: `python bench/sinks.py`. Compare only figures of one run.

Every number of an evaluation differs between its dimensions, so lines are as long as they get. "light" and "full" are
the two kinds of evaluation; the strip is drawn at some of the full ones, and its time stands apart. For scale: torch's
SummaryWriter with one `add_histogram` a dimension, on a window of 4096 rows and without any scalar; the time of its
writing thread is not in the figure.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from timing import medians, table

from polar_monitor.alerts.alert_rules import AlertRules, to_plain
from polar_monitor.evaluation import Evaluation
from polar_monitor.monitor.outputs import default_sinks
from polar_monitor.sinks.group import SinkGroup
from polar_monitor.sinks.jsonl import to_line
from polar_monitor.sinks.tensorboard.state_strip import StateStrip
from polar_monitor.statistics.rounding import SIZES, rounded

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, light, make_evaluation

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)
DIMENSIONS = (10, 32, 128, 512)
SETUP = {"rules": to_plain(AlertRules()), "warmup": 0, "extra_rules": []}


def evaluation(step: int, dimensions: int, full: bool) -> Evaluation:
    """One evaluation whose statistics all differ, with as many bins as the monitor draws."""
    one = make_evaluation(step, [LABELS[j % 4] for j in range(dimensions)], bins=64)
    assert one.snapshot is not None
    rng = np.random.default_rng(step)
    snapshot = rounded(replace(one.snapshot, **{name: rng.normal(size=dimensions) for name in SIZES}))
    return replace(one, snapshot=snapshot if full else light(snapshot))


def writers(folder: Path, dimensions: int, full: bool) -> dict[str, Callable[[], None]]:
    """A write to each of the default sinks, and to both as the monitor does it."""
    _, (board, log) = default_sinks(folder)
    both = SinkGroup(default_sinks(folder / "both")[1])
    both.begin("", SETUP)
    log.begin("", SETUP)  # type: ignore[attr-defined]
    run: Iterator[Evaluation] = itertools.cycle([evaluation(100 * i, dimensions, full) for i in range(1, 33)])
    for sink in (board, both):
        for _ in range(1000):  # the strip is drawn at fewer and fewer
            sink.write(next(run))
    return {
        "TensorBoard": lambda: board.write(next(run)),
        "JSONL": lambda: log.write(next(run)),
        "both": lambda: both.write(next(run)),
    }


def torch_histograms(folder: Path, dimensions: int) -> Callable[[], None]:
    """What people write by hand, for the times only."""
    from torch.utils.tensorboard import SummaryWriter

    writer, steps = SummaryWriter(str(folder)), itertools.count()
    rows = np.random.default_rng(0).normal(size=(dimensions, 4096)).astype(np.float32)

    def write() -> None:
        step = next(steps)
        for j in range(dimensions):
            writer.add_histogram(f"mean/{j:03d}", rows[j], step)

    return write


def strip(dimensions: int) -> Callable[[], object]:
    """The picture of 100 evaluations."""
    drawn = StateStrip(range(min(dimensions, 128)))
    for i in range(100):
        drawn.add(i, [LABELS[(i // 9 + j) % 4] for j in range(dimensions)])
    return drawn.png


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    kinds = {"light": False, "full": True}
    rows = []
    for D in DIMENSIONS:
        with tempfile.TemporaryDirectory() as folder:
            runs: dict[str, Callable[[], object]] = {
                "strip": strip(D),
                "torch": torch_histograms(Path(folder) / "t", D),
            }
            for kind, full in kinds.items():
                of_kind = writers(Path(folder) / kind, D, full)
                runs |= {f"{kind} {name}": write for name, write in of_kind.items()}
            seconds = medians(runs, budget=0.3, least=5)
        for kind, full in kinds.items():
            times = [f"{1e3 * seconds[f'{kind} {name}']:.3f}" for name in ("TensorBoard", "JSONL", "both")]
            rows.append([f"{D} {kind}", *times, f"{len(to_line(evaluation(100, D, full), SETUP)):,}"])
        rows.append([f"{D} strip, torch", f"{1e3 * seconds['strip']:.3f}", "", f"{1e3 * seconds['torch']:.3f}", ""])
    print(table(["dimensions", "TensorBoard (ms)", "JSONL (ms)", "both (ms)", "bytes of a line"], rows))


if __name__ == "__main__":
    main()
