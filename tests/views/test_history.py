"""Tidy records: one for each dimension at each evaluation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages.logs import falling_run, write_log
from records import make_run

import polar_monitor
from polar_monitor.errors import PolarMonitorError
from polar_monitor.sinks.jsonl import read_jsonl
from polar_monitor.views.latest import latest
from polar_monitor.views.log import RunLog


def test_each_record_is_a_dimension_at_an_evaluation(tmp_path: Path) -> None:
    path = write_log(tmp_path, make_run(8, 3, bins=8))
    history = polar_monitor.read(tmp_path)
    slow = [
        (one.step, j, one.snapshot.information[j], one.snapshot.information_se[j], str(one.regime.labels[j]))
        for one in read_jsonl(path)
        if one.snapshot is not None and one.regime is not None
        for j in range(3)
    ]
    assert [(record.step, record.dimension, record.label) for record in history] == [
        (s, j, w) for s, j, _, _, w in slow
    ]
    for place, column in ((2, "nats"), (3, "error")):
        np.testing.assert_allclose(history.columns[column], [row[place] for row in slow], rtol=1e-4)
    assert len(history) == 24
    assert history[-1][:7] == list(history)[-1][:7]
    assert history[-1]._fields == (
        *("step", "dimension", "nats", "error", "label", "name", "mode"),
        *("worth", "worth_error", "drift", "drift_error"),
    )
    assert [record.step for record in history[2:4]] == [100, 200]
    assert repr(history) == "<History: 24 records, 8 steps, 3 dimensions>"


def test_a_file_and_its_folder_are_the_same_run_and_notes_come_along(tmp_path: Path) -> None:
    path = write_log(tmp_path, falling_run(), tail=b'{"version"')
    assert str(list(polar_monitor.read(path))) == str(list(polar_monitor.read(str(tmp_path))))
    assert "not complete" in polar_monitor.read(path).notes[0]


def test_a_folder_of_several_runs_or_of_none_is_an_error_that_says_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(PolarMonitorError, match="found none; pass the log_dir"):
        polar_monitor.read(tmp_path)
    write_log(tmp_path / "a", falling_run())
    write_log(tmp_path / "b", falling_run())
    with pytest.raises(PolarMonitorError, match=r"expected one run, found 2: .*/a, .*/b; pass one of them"):
        polar_monitor.read(tmp_path)
    with pytest.raises(PolarMonitorError, match="no such file"):
        polar_monitor.read(tmp_path / "c")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(PolarMonitorError, match="the log is empty"):
        polar_monitor.read(tmp_path / "empty.jsonl")


def test_a_frame_has_a_column_for_each_field(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write_log(tmp_path, falling_run())
    frame = polar_monitor.read(tmp_path).to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame) == list(polar_monitor.read(tmp_path)[0]._fields)
    wide = frame.pivot(index="step", columns="dimension", values="nats")
    assert math.isclose(wide.loc[700, 0], 0.5, rel_tol=1e-5)


def test_worths_are_of_the_evaluation_after_the_probe_and_the_drift_of_full_ones(tmp_path: Path) -> None:
    run = make_run(4, 3, bins=8)
    assert run[1].snapshot is not None
    drift = {"drift": np.array([0.25, math.nan, 0.0]), "drift_se": np.array([0.125, math.nan, 0.5])}
    run[1] = replace(run[1], snapshot=replace(run[1].snapshot, **drift))
    probe = {"step": 250, "unit": "nats", "how": "marginal", "rows": 64, "loss": 1.0, "total": 2.0, "total_se": 0.1}
    run[2] = replace(run[2], worth=probe | {"worth": [8.0, 0.5, 0.0], "worth_se": [0.25, 0.125, math.nan]})
    run[3] = replace(run[3], worth=probe | {"worth": [8.0], "worth_se": [0.25]})  # of another latent
    path = write_log(tmp_path, run)
    columns = polar_monitor.read(tmp_path).columns
    nan = math.nan
    at = {"drift": (1, [0.25, nan, 0]), "drift_error": (1, [0.125, nan, 0.5]), "worth": (2, [8, 0.5, 0])}
    for name, (place, expected) in (at | {"worth_error": (2, [0.25, 0.125, nan])}).items():
        numbers = columns[name].reshape(4, 3)
        np.testing.assert_array_equal(numbers[place], expected)
        assert np.isnan(np.delete(numbers, place, 0)).all()
    log = RunLog(path)
    log.refresh()
    (newest,) = latest(log)
    assert [newest["worth"], newest["worth_error"], newest["worth_step"]] == [[8, 0.5, 0], [0.25, 0.125, None], 250]
    assert [newest["drift"], newest["drift_error"], newest["drift_step"]] == [[0.25, None, 0], [0.125, None, 0.5], 200]


def test_a_frame_of_an_unknown_library_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path, falling_run())
    history = polar_monitor.read(tmp_path)
    with pytest.raises(PolarMonitorError, match="expected pandas or polars, got 'dask'"):
        history.to_frame("dask")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install pandas"):
        history.to_frame()
