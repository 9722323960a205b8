"""Memory is bounded: by the dimensions and the window, not by the steps. Of a long run: `python bench/memory.py`."""

from __future__ import annotations

import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from models import Vae, train
from torch import Tensor
from watching import watched

from polar_monitor.capture.ring import PairedRingBuffer
from polar_monitor.capture.row_buffer import capacity_of
from polar_monitor.monitor.options import Settings
from polar_monitor.monitor.pipeline import ModePipeline
from polar_monitor.statistics.full import MAX_COVERED
from polar_monitor.statistics.snapshot import Snapshot
from polar_monitor.statistics.stream import WINDOW_BYTES
from polar_monitor.statistics.windowed_histogram import PANES
from polar_monitor.statistics.work_space import WorkSpace

WINDOW, BINS = 4096, 512
MIB = 2**20


def ring_bytes(dimensions: int) -> int:
    """Mean and spread, float32, twice the window each, at most `MAX_BYTES` each, or as long as the window."""
    return 2 * 4 * dimensions * capacity_of(2 * WINDOW, dimensions)


def window_bytes(dimensions: int) -> int:
    """Mean and variance, float32, at most `WINDOW_BYTES` each."""
    return 2 * min(4 * dimensions * WINDOW, WINDOW_BYTES)


def histogram_bytes(dimensions: int) -> int:
    """Counts, int64, of the panes and of all of them merged; ends, extremes and tallies beside them.

    The latest snapshot may hold once more those of the dimensions that it covers. There are no panes of more.
    """
    panes = PANES + 1 if dimensions <= MAX_COVERED else 0
    return (panes * dimensions + min(dimensions, MAX_COVERED)) * (8 * BINS + 3 * 8 + 16 * 4 + 4 * 8)


def work_bytes(dimensions: int) -> int:
    """What the kernels of light statistics work in, with the grids of both orders; no codes, as there is a variance."""
    work = WorkSpace(dimensions, WINDOW)
    grids = sum(work.nodes(ordered).nbytes for ordered in (False, True))
    return grids + sum(part.nbytes for part in vars(work).values() if isinstance(part, np.ndarray))


def snapshot_bytes(dimensions: int) -> int:
    """At most a hundred statistics, float64."""
    return 100 * 8 * dimensions


BOUNDS = {8: 8 * MIB, 1024: 130 * MIB, 4096: 280 * MIB}
"""Bytes of ring, window, histograms, work space and snapshot that a latent of D dimensions may hold, at the default
window."""


def state_bytes(pipeline: ModePipeline, snapshot: Snapshot) -> int:
    """Bytes of all arrays that a pipeline and its latest snapshot hold."""
    tensors = [buffer.storage for buffer in pipeline.ring.buffers if buffer.storage is not None]
    seen: set[int] = set()

    def arrays(value: object) -> int:
        if id(value) in seen:
            return 0
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            return int(value.nbytes) if value.base is None else arrays(value.base)
        if isinstance(value, dict):
            return sum(map(arrays, value.values()))
        if isinstance(value, list | tuple) or type(value).__name__ == "deque":
            return sum(map(arrays, value))  # type: ignore[call-overload]
        ours = type(value).__module__.startswith("polar_monitor") and hasattr(value, "__dict__")
        return arrays(vars(value)) if ours else 0

    return sum(t.numel() * t.element_size() for t in tensors) + arrays(pipeline.stream) + arrays(snapshot)


@pytest.mark.parametrize("dimensions", BOUNDS)
def test_what_a_latent_may_hold_is_computed_and_stated(dimensions: int) -> None:
    parts = (ring_bytes, window_bytes, histogram_bytes, work_bytes, snapshot_bytes)
    assert sum(part(dimensions) for part in parts) <= BOUNDS[dimensions]


@pytest.mark.parametrize("dimensions", BOUNDS)
def test_what_a_latent_holds_is_under_the_stated_bound(dimensions: int) -> None:
    pipeline = ModePipeline("train", "logvar", Settings(WINDOW, None, "information", None, 0), None)  # type: ignore[arg-type]
    blocks = 10 if dimensions < 4096 else 6
    block = torch.randn(2048, dimensions, generator=torch.Generator().manual_seed(0))
    sizes = []
    for _ in range(blocks):
        write(pipeline.ring, block)
        pipeline.request(0)
        pipeline.ingest()
        assert pipeline.stream is not None
        sizes.append(state_bytes(pipeline, pipeline.stream.snapshot(0)))
    assert sizes[-1] <= BOUNDS[dimensions]
    assert sizes[-1] > BOUNDS[dimensions] / 3
    assert (pipeline.stream._histogram.online is None) == (dimensions > MAX_COVERED)
    covered = histogram_bytes(min(dimensions, MAX_COVERED)) / (PANES + 2)
    assert abs(sizes[-1] - sizes[-2]) <= 2 * covered  # one may cover more dimensions, and merge their panes


def write(ring: PairedRingBuffer, block: Tensor) -> None:
    ring.write(ring.mean, block)
    assert ring.spread is not None
    ring.write(ring.spread, block)


def test_what_python_holds_does_not_grow_with_the_steps(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path, window=512, every=20)
    train(model, 200)
    gc.collect()
    tracemalloc.start()
    try:
        train(model, 40)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        train(model, 160)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert monitor.health().evaluations == 20
    assert after - before < 8 * 20_000  # of 8 evaluations: histories that are not yet full, a strip's columns


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_thousand_steps_leave_the_resident_set_within_two_percent(tmp_path: Path) -> None:
    model = Vae()
    monitor = watched(model, sinks=None, log_dir=tmp_path, window=512, every=25)
    train(model, 300)
    gc.collect()
    before = resident()
    train(model, 1000)
    gc.collect()
    assert monitor.health().evaluations == 52
    assert resident() <= 1.02 * before
