"""Latents in storage: read by slices that follow its chunks, never at once, with the result of the array in memory."""

from collections.abc import Sequence

import numpy as np
import pytest

import polar_monitor
from polar_monitor.errors import PolarMonitorError
from polar_monitor.offline import source, stored

RNG = np.random.default_rng(0)
MEAN = (RNG.normal(size=(5000, 3)) * [1.0, 0.01, 0.5]).astype(np.float32)
VARIANCE = np.broadcast_to(np.float32([0.02, 1.0, 0.3]), MEAN.shape).copy()


class Stored:
    """Array that can only be sliced, and counts what is read."""

    def __init__(self, values, chunks=None):
        self.values, self.chunks, self.shape, self.dtype, self.parts = values, chunks, values.shape, values.dtype, []

    def __getitem__(self, rows):
        self.parts.append((rows.start, min(rows.stop, len(self.values))))
        return self.values[rows]


class Column(Sequence):
    """Column of a data set: rows by number, lists by slices."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, which):
        return self.values[which].tolist()


@pytest.fixture(autouse=True)
def _few_rows_at_once(monkeypatch):
    monkeypatch.setattr(source, "MAX_NUMBERS", 3 * 700)


def equal(regime):
    other = polar_monitor.classify(MEAN, var=VARIANCE)
    assert regime.labels == other.labels
    np.testing.assert_array_equal(regime.snapshot.information, other.snapshot.information)


@pytest.mark.parametrize("chunks", [None, (300, 3), ((300,) * 16 + (200,), (3,)), ((5000,), (3,)), (2000, 3)])
def test_stored_arrays_are_read_by_their_chunks_and_in_small_parts(chunks):
    mean, variance = Stored(MEAN, chunks), Stored(VARIANCE)
    equal(polar_monitor.classify(mean, var=variance))
    assert mean.parts == variance.parts
    assert [start for start, _ in mean.parts[1:]] == [stop for _, stop in mean.parts[:-1]]
    assert mean.parts[-1][1] == 5000
    assert max(stop - start for start, stop in mean.parts) <= 700
    if chunks is not None and chunks[0] in (300, (300,) * 16 + (200,)):
        assert all(start % 300 == 0 for start, _ in mean.parts)


def test_columns_are_rows_and_not_chunks():
    equal(polar_monitor.classify(Column(MEAN), var=Column(VARIANCE)))


class Records(Column):
    """Rows of a data set, with all columns."""

    def __getitem__(self, which):
        return {"mu": 1.0, "var": 2.0}


def test_what_cannot_be_read_is_one_clear_error():
    unknown = Stored(MEAN)
    unknown.shape = (float("nan"), 3)
    with pytest.raises(PolarMonitorError, match=r"mean: expected an array of known shape, .*compute_chunk_sizes"):
        polar_monitor.classify(unknown)
    with pytest.raises(PolarMonitorError, match=r"columns 'mu', 'var': .*data\['mean'\]"):
        polar_monitor.classify(Records(MEAN))
    with pytest.raises(PolarMonitorError, match="n and D above 0"):
        polar_monitor.classify(Column(MEAN[:0]))


def test_cuts_of_no_chunks_are_even():
    assert list(stored.cuts(None, 100, 65)) == [(0, 65), (65, 100)]


def test_arrays_of_dask():
    array = pytest.importorskip("dask.array").from_array
    equal(polar_monitor.classify(array(MEAN, chunks=(900, 3)), var=array(VARIANCE, chunks=(900, 2))))


def test_arrays_of_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    sides = []
    for name, values in (("mean", MEAN), ("var", VARIANCE)):
        side = zarr.create_array(str(tmp_path / name), shape=values.shape, chunks=(900, 3), dtype="f4")
        side[:] = values
        sides.append(side)
    equal(polar_monitor.classify(sides[0], var=sides[1]))


@pytest.mark.parametrize("form", [None, "numpy", "torch"])
def test_columns_of_hugging_face_data_sets(form):
    data = pytest.importorskip("datasets").Dataset
    pa = pytest.importorskip("pyarrow")
    rows = data(pa.table({"mean": MEAN.tolist(), "var": VARIANCE.tolist()}), fingerprint="rows").with_format(form)
    equal(polar_monitor.classify(rows["mean"], var=rows["var"]))
    with pytest.raises(PolarMonitorError, match="mean"):
        polar_monitor.classify(rows)
