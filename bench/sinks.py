"""Times of the sinks: `pytest bench/sinks.py`. Compare only figures of one run.

For scale, torch's SummaryWriter with one `add_histogram` a dimension, on a window of 4096 rows and without any scalar;
the time of its writing thread is not in the figure.
"""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.jsonl import JsonlSink
from polar_monitor.sinks.tensorboard import TensorBoardSink
from polar_monitor.sinks.tensorboard.state_strip import GUTTER, WIDTH, StateStrip

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_evaluation

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)
DIMENSIONS = [32, 512]


def run(dimensions: int) -> Iterator[Evaluation]:
    """Yield evaluations without end, with as many bins as the monitor draws."""
    labels = [LABELS[j % 4] for j in range(dimensions)]
    return itertools.cycle([make_evaluation(100 * i, labels, bins=64) for i in range(1, 33)])


@pytest.mark.parametrize("dimensions", DIMENSIONS)
@pytest.mark.parametrize("kind", ["tensorboard", "jsonl"])
def test_write(benchmark, tmp_path, kind, dimensions):
    sink = TensorBoardSink(tmp_path) if kind == "tensorboard" else JsonlSink(tmp_path / "log")
    evaluations = run(dimensions)
    for _ in range(40):  # the picture is drawn at almost every one of the first
        sink.write(next(evaluations))
    benchmark(lambda: sink.write(next(evaluations)))
    sink.close()


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_add_histogram_of_torch(benchmark, tmp_path, dimensions):
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path))
    rows = np.random.default_rng(0).normal(size=(dimensions, 4096)).astype(np.float32)
    steps = itertools.count()

    def write() -> None:
        step = next(steps)
        for j in range(dimensions):
            writer.add_histogram(f"mean/{j:03d}", rows[j], step)

    benchmark.pedantic(write, rounds=10, warmup_rounds=1)
    writer.close()


@pytest.mark.parametrize("dimensions", [10, 128])
def test_strip(benchmark, dimensions):
    strip = StateStrip(range(dimensions))
    for i in range(100):
        strip.add(i, [LABELS[(i // 9 + j) % 4] for j in range(dimensions)])
    assert benchmark(strip.png)[1] == GUTTER + WIDTH
