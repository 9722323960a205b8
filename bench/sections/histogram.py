"""Time to add one block of rows to streaming histograms, warm."""

import numpy as np
import torch
from numba import njit

from polar_monitor.statistics.windowed_histogram import WindowedHistogram

from .. import timing
from . import peers

SHAPES = ((128, 32, 64), (1024, 128, 64), (256, 1024, 256))
"""Rows, dimensions and bins."""


@njit
def _increments(counts, index):  # type: ignore[no-untyped-def]
    for d in range(index.shape[0]):
        for i in range(index.shape[1]):
            counts[d, index[d, i]] += 1


@njit
def _read(x):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for d in range(x.shape[0]):
        for i in range(x.shape[1]):
            total = max(total, x[d, i])
    return total


def table() -> str:
    """Microseconds, and how many times ours."""
    columns = [_times(*shape) for shape in SHAPES]
    rows = []
    for name in columns[0]:
        cells = [f"{1e6 * column[name]:.3g} ({column[name] / column['ours']:.3g}×)" for column in columns]
        rows.append([name, *cells])
    return timing.table(["microseconds (times ours)", *(f"{n} × {d}, {b} bins" for n, d, b in SHAPES)], rows)


def _times(n: int, dimensions: int, bins: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(n, dimensions)).astype(np.float32) for _ in range(16)]
    tensors = [torch.tensor(block) for block in blocks]
    index = np.clip((blocks[0].T + 5) * (bins / 10), 0, bins - 1).astype(np.int32).copy()
    columns = blocks[0].T.copy()
    counts = np.zeros((dimensions, bins), np.int64)
    panes = WindowedHistogram(dimensions, bins, panes=1)
    across = WindowedHistogram(dimensions, bins, panes=1)
    for block in blocks:
        panes.update_rows(block)
        across.update_rows(block)
    offset = torch.arange(dimensions) * bins
    flat, ones = torch.zeros(dimensions * bins), torch.ones(n * dimensions)
    base = np.arange(dimensions) * bins
    turn = iter(range(10**9))

    def scatter() -> None:
        x = tensors[next(turn) % 16]
        place = ((x + 5) * (bins / 10)).clamp_(0, bins - 1).long() + offset
        flat.scatter_add_(0, place.view(-1), ones)

    def torch_bincount() -> None:
        x = tensors[next(turn) % 16]
        place = ((x + 5) * (bins / 10)).clamp_(0, bins - 1).long() + offset
        flat.add_(torch.bincount(place.view(-1), minlength=dimensions * bins))

    def numpy_bincount() -> None:
        x = blocks[next(turn) % 16]
        place = np.clip((x + 5) * (bins / 10), 0, bins - 1).astype(np.int64) + base
        counts.ravel()[:] += np.bincount(place.ravel(), minlength=dimensions * bins)

    candidates = {
        "ours": lambda: panes.update_rows(blocks[next(turn) % 16]),
        "ours, of rows (D, n)": lambda: across.update(columns),
        "limit: read the block once": lambda: _read(columns),
        "limit: the increments alone": lambda: _increments(counts, index),
        "torch.scatter_add_, fixed range": scatter,
        "torch.bincount, fixed range": torch_bincount,
        "numpy.bincount, fixed range": numpy_bincount,
    } | peers.histograms(blocks, bins)
    torch.set_num_threads(1)
    return timing.medians(candidates, budget=0.4, least=20) | _tensorboard(blocks[0])


def _tensorboard(block: np.ndarray) -> dict[str, float]:
    """`SummaryWriter.add_histogram` of each dimension."""
    import tempfile

    from torch.utils.tensorboard import SummaryWriter

    with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:

        def write() -> None:
            for d in range(block.shape[1]):
                writer.add_histogram(f"z/{d}", block[:, d], 0)

        return timing.medians({"SummaryWriter.add_histogram, each dimension": write}, budget=0.0, least=3)
