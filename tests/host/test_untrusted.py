"""What is read may be broken, foreign or hostile: one clear error, nothing changed, nothing unpickled, memory bounded.

A line of a log by itself is tested beside the sink (`test_jsonl.py`); here are the state dict, the files as wholes, and
what a run does to files that it finds.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models import Vae, train
from records import make_evaluation
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from watching import same, watched

from polar_monitor import PolarMonitor, PolarMonitorError
from polar_monitor.sinks.jsonl import JsonlSink, read_jsonl, to_line
from polar_monitor.sinks.tensorboard import TensorBoardSink

MIB = 2**20


class Payload:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def a_run() -> PolarMonitor:
    torch.manual_seed(0)
    model = Vae()
    monitor = watched(model, window=512)
    train(model, 25)
    monitor.kept = model  # type: ignore[attr-defined]
    return monitor


@pytest.fixture(scope="module")
def run() -> PolarMonitor:
    return a_run()


@pytest.fixture(scope="module")
def good(run: PolarMonitor) -> dict[str, Any]:
    return run.state_dict()


def edited(state: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The same state with another value in one place; a callable makes it of what was there."""
    if not place:
        return value(state) if callable(value) else value
    if isinstance(state, dict):
        return state | {place[0]: edited(state.get(place[0]), place[1:], value)}
    inner = edited(state[place[0]], place[1:], value)
    return [*state[: place[0]], inner, *state[place[0] + 1 :]]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def bomb(levels: int) -> list[Any]:
    """Few lists that hold each other: written out, 10 to the number of levels."""
    value: list[Any] = [0]
    for _ in range(levels):
        value = [value] * 10
    return value


def filled(number: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: torch.full_like(tensor, number)


PIPELINE = ("pipelines", "train")
STREAM = (*PIPELINE, "stream")
HISTOGRAM = (*STREAM, "histogram")
HOSTILE: dict[str, tuple[tuple[Any, ...], Any]] = {
    "version_of_the_state": (("version",), 2),
    "version_of_text": (("version",), "1"),
    "version_of_the_stream": ((*STREAM, "version"), 2),
    "no_pipelines": (("pipelines",), None),
    "pipelines_in_a_list": (("pipelines",), []),
    "a_pipeline_of_bytes": (PIPELINE, b"\x80\x04."),
    "other_kind": ((*PIPELINE, "kind"), "std"),
    "deep": ((*PIPELINE, "alerts"), nested(100_000)),
    "bomb": ((*PIPELINE, "alerts"), bomb(12)),
    "bomb_of_alerts": (("alerts",), bomb(12)),
    "huge_dimensions": ((*STREAM, "dimensions"), 10**9),
    "dimensions_below_0": ((*STREAM, "dimensions"), -1),
    "dimensions_of_nan": ((*STREAM, "dimensions"), float("nan")),
    "other_window": ((*STREAM, "window"), 2**40),
    "means_of_text": ((*STREAM, "mean"), "text"),
    "means_cut": ((*STREAM, "mean"), lambda x: x[:, :7]),
    "means_of_another_shape": ((*STREAM, "mean"), lambda x: x.T),
    "means_that_are_not_there": ((*STREAM, "mean"), torch.zeros(1, 1).expand(4, 10**10)),
    "means_on_no_device": ((*STREAM, "mean"), torch.zeros(4, 512, device="meta")),
    "means_sparse": ((*STREAM, "mean"), torch.zeros(4, 512).to_sparse()),
    "variances_of_another_shape": ((*STREAM, "variance"), lambda x: x[:1]),
    "no_variances": ((*STREAM, "variance"), None),
    "inputs_of_another_shape": ((*STREAM, "input"), torch.zeros(1, dtype=torch.int64)),
    "place_beyond_the_window": ((*STREAM, "place"), 10**9),
    "place_below_0": ((*STREAM, "place"), -1),
    "rows_below_0": ((*STREAM, "rows"), -5),
    "huge_rows": ((*STREAM, "rows"), 10**400),
    "non_finite_of_another_shape": ((*STREAM, "non_finite"), torch.zeros(7, dtype=torch.int64)),
    "huge_bins": ((*HISTOGRAM, "bins"), 2**60),
    "other_bins": ((*HISTOGRAM, "bins"), 256),
    "counts_of_another_shape": ((*HISTOGRAM, "counts"), lambda x: x[..., :8].contiguous()),
    "counts_of_another_type": ((*HISTOGRAM, "counts"), lambda x: x.float()),
    "counts_that_are_not_there": ((*HISTOGRAM, "counts"), lambda x: x[:1, :1, :1].expand(x.shape)),
    "counts_below_0": ((*HISTOGRAM, "counts"), filled(-1)),
    "counts_in_a_list": ((*HISTOGRAM, "counts"), [1, 2]),
    "exponent_too_high": ((*HISTOGRAM, "exponent"), filled(10**6)),
    "exponent_too_low": ((*HISTOGRAM, "exponent"), filled(-(10**6))),
    "a_grid_too_fine": ((*HISTOGRAM, "exponent"), lambda x: x - 20),
    "ends_of_nan": ((*HISTOGRAM, "low"), filled(float("nan"))),
    "ends_far_apart": ((*HISTOGRAM, "high"), filled(1e30)),
    "ends_crossed": ((*HISTOGRAM, "low"), lambda x: -x + 1e3),
    "extremes_of_nan": ((*HISTOGRAM, "extremes"), filled(float("nan"))),
    "extremes_unsorted": ((*HISTOGRAM, "extremes"), lambda x: x.flip(-1).contiguous()),
    "extremes_within": ((*HISTOGRAM, "extremes"), filled(0.0)),
    "tallies_too_high": ((*HISTOGRAM, "tallies"), filled(2**61)),
    "tallies_below_0": ((*HISTOGRAM, "tallies"), filled(-1)),
    "many_panes": ((*HISTOGRAM, "rows"), torch.zeros(10**6, dtype=torch.int64)),
    "no_panes": ((*HISTOGRAM, "rows"), torch.zeros(0, dtype=torch.int64)),
    "other_panes": ((*HISTOGRAM, "panes"), 7),
    "snapshot_of_text": ((*PIPELINE, "snapshot"), "text"),
    "a_statistic_too_short": ((*PIPELINE, "snapshot", "kl"), [1.0]),
    "a_statistic_nested": ((*PIPELINE, "snapshot", "kl"), [[1.0]] * 4),
    "labels_of_nothing": ((*PIPELINE, "regime", "labels"), ["alive"] * 4),
    "too_few_labels": ((*PIPELINE, "regime", "labels"), ["active"]),
    "a_history_of_another_shape": ((*PIPELINE, "alerts", "history", "falling_streak"), [1, 2]),
    "a_peak_of_text": ((*PIPELINE, "alerts", "builtin", "drain", "total"), "high"),
    "more_to_watch": ((*PIPELINE, "alerts", "builtin", "__class__"), 1),
    "seen_below_0": ((*PIPELINE, "seen"), -1),
    "written_of_text": ((*PIPELINE, "written"), "many"),
    "written_of_nan": ((*PIPELINE, "written"), float("nan")),
    "steps_of_text": (("schedule", "steps"), "many"),
    "steps_of_nan": (("schedule", "steps"), float("nan")),
    "huge_steps": (("schedule", "steps"), 10**400),
    "every_0": (("schedule", "every"), 0),
    "duty_cycle_of_text": (("schedule", "duty_cycle"), "text"),
    "pause_until_text": (("schedule", "duty_cycle", "until"), "later"),
    "alerts_of_numbers": (("alerts",), [1]),
    "alert_of_nothing": (("alerts",), [{"kind": "nothing"}]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_state_that_is_none_gives_one_error_and_changes_nothing(
    case: str, run: PolarMonitor, good: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polar_monitor.monitor.checkpoint.MAX_LEAVES", 10**5)
    bad = edited(good, *HOSTILE[case])
    tracemalloc.start()
    try:
        with pytest.raises(PolarMonitorError, match=r"^state(: |\[)"):
            run.load_state_dict(bad)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 16 * MIB
    assert same(run.state_dict(), good)


def test_the_state_that_was_saved_is_taken_through_a_file_that_holds_no_code(
    run: PolarMonitor, good: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(good, tmp_path / "state.pt")
    run.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(run.state_dict(), good)


@pytest.mark.parametrize("where", [(), ("pipelines",), PIPELINE, STREAM, (*STREAM, "mean"), ("alerts",), ("schedule",)])
def test_a_pickle_is_never_opened(
    where: tuple[Any, ...], run: PolarMonitor, good: dict[str, Any], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    for payload in (pickle.dumps(Payload(mark)), io.BytesIO(pickle.dumps(Payload(mark))), Payload(mark)):
        with pytest.raises(PolarMonitorError):
            run.load_state_dict(edited(good, where, payload))
    assert not mark.exists()


def test_a_wider_model_s_state_is_refused(run: PolarMonitor, good: dict[str, Any]) -> None:
    model = Vae(latents=5)
    wider = watched(model, window=512)
    train(model, 25)
    with pytest.raises(PolarMonitorError, match="expected 4 dimensions, as the model has, got 5"):
        run.load_state_dict(wider.state_dict())
    assert same(run.state_dict(), good)


def numbers(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All places of a state, one for a list of numbers."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    return [here, *(place for key, item in inner for place in numbers(item, (*here, key)))]


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.floats(), max_size=2),
    st.builds(torch.full, st.tuples(st.integers(0, 5), st.integers(0, 5)), st.floats(width=32)),
)


@pytest.fixture(scope="module")
def places(good: dict[str, Any]) -> list[tuple[Any, ...]]:
    return numbers(good)[1:]


@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data(), value=anything)
def test_a_state_with_anything_in_one_place_is_refused_or_trained_on(
    data: st.DataObject, value: Any, run: PolarMonitor, good: dict[str, Any], places: list[tuple[Any, ...]]
) -> None:
    bad = edited(good, data.draw(st.sampled_from(places)), value)
    try:
        run.load_state_dict(bad)
    except PolarMonitorError:
        assert same(run.state_dict(), good)
        return
    try:
        train(run.kept, 2)  # type: ignore[attr-defined]
        run.evaluate()
    finally:
        run.load_state_dict(good)


# -- logs and event files as wholes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return [to_line(make_evaluation(step)) for step in (10, 20, 30)]


def test_a_log_cut_anywhere_gives_its_whole_records(lines: list[bytes], tmp_path: Path) -> None:
    whole, path = b"".join(lines), tmp_path / "log"
    ends = [len(b"".join(lines[:n])) for n in range(4)]
    for cut in [*range(0, len(whole), 97), *ends, *(end - 1 for end in ends[1:])]:
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut or end - 1 == cut for end in ends[1:])  # a record may lack its newline
        assert [record.step for record in read_jsonl(path)] == [10, 20, 30][:complete]


def test_a_log_of_a_newer_version_is_refused_and_not_appended_to_in_part(lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "log"
    newer = json.dumps(json.loads(lines[1]) | {"version": 3}).encode() + b"\n"
    path.write_bytes(lines[0] + newer)
    with pytest.raises(PolarMonitorError, match=r"line 2: .*got version 3"):
        read_jsonl(path)
    assert path.read_bytes() == lines[0] + newer


@pytest.mark.parametrize("protocol", [0, 4])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_pickle_for_a_log_is_refused_and_never_opened(end: bytes, protocol: int, tmp_path: Path) -> None:
    path, mark = tmp_path / "log", tmp_path / "mark"
    content = pickle.dumps(Payload(mark), protocol=protocol) + end
    path.write_bytes(content)
    with pytest.raises(PolarMonitorError, match="something else"):
        JsonlSink(path)
    if protocol == 4 and not end:
        assert read_jsonl(path) == []  # as good as a torn line
    else:
        with pytest.raises(PolarMonitorError, match="line 1: "):
            read_jsonl(path)
    assert path.read_bytes() == content
    assert not mark.exists()


def test_a_log_of_one_endless_line_costs_no_more_than_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polar_monitor.sinks.jsonl_reader.MAX_LINE_BYTES", MIB)
    path = tmp_path / "log"
    with open(path, "wb") as file:
        file.write(b'{"version":')
        file.truncate(10**10)  # a hole, which takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(PolarMonitorError, match="line 1: longer than"):
            read_jsonl(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", ["torn", "noise", "empty", "length", "pickle"])
def test_what_lies_in_the_folder_is_neither_read_nor_changed_by_the_events(content: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    first = TensorBoardSink(tmp_path / "run")
    first.write(make_evaluation(10))
    first.close()
    (path,) = (tmp_path / "run").iterdir()
    before = {
        "torn": path.read_bytes()[:-5],
        "noise": np.random.default_rng(0).bytes(1000),
        "empty": b"",
        "length": b"\xff" * 8 + path.read_bytes()[8:],
        "pickle": pickle.dumps(Payload(mark)),
    }[content]
    path.write_bytes(before)
    second = TensorBoardSink(tmp_path / "run", purge_step=5)
    second.write(make_evaluation(20))
    second.close()
    assert path.read_bytes() == before
    assert not mark.exists()
    (other,) = set((tmp_path / "run").iterdir()) - {path}
    assert [event.step for event in EventAccumulator(str(other)).Reload().Scalars("polar/active")] == [20]
