"""What TensorBoard itself reads back from the sink's event files."""

from __future__ import annotations

import io
import itertools
import logging
import math
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED, make_alert, make_evaluation, make_run
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c as reference_crc32c
from tensorboard.plugins.custom_scalar import layout_pb2

from polar_monitor.errors import PolarMonitorError
from polar_monitor.evaluation import Evaluation
from polar_monitor.kernels.crc32c import crc32c
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks import _append
from polar_monitor.sinks.tensorboard import TensorBoardSink, default_log_dir, event_file
from polar_monitor.sinks.tensorboard.buckets import pooled
from polar_monitor.statistics.snapshot import Histogram

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)
KINDS = ("scalars", "histograms", "images", "tensors", "compressedHistograms")


def written(folder: Path, evaluations: Sequence[Evaluation], **options: int) -> TensorBoardSink:
    sink = TensorBoardSink(folder, **options)
    for evaluation in evaluations:
        sink.write(evaluation)
    sink.close()
    return sink


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance=dict.fromkeys(KINDS, 0)).Reload()


def series(board: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in board.Scalars(tag)]


def texts(board: EventAccumulator, tag: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in board.Tensors(tag)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def events(path: Path) -> list[Event]:
    return [Event.FromString(record) for record in RawEventFileLoader(str(path)).Load()]


# -- the file ---------------------------------------------------------------------------------------------------------


def test_checksum_of_the_standard_example():
    assert crc32c(np.frombuffer(bytearray(b"123456789"), np.uint8)) == 0xE3069283


@given(st.binary(max_size=300))
def test_checksum_is_tensorboards(data):
    assert crc32c(np.frombuffer(bytearray(data), np.uint8)) == reference_crc32c(data)


@given(st.binary(max_size=300))
def test_framing_is_tensorboards(data):
    from tensorboard.summary.writer.record_writer import RecordWriter

    expected = io.BytesIO()
    RecordWriter(expected).write(data)
    assert bytes(event_file.framed(data)) == expected.getvalue()


def test_one_event_for_each_evaluation_after_the_version(tmp_path):
    run = make_run(30, 5)
    sink = TensorBoardSink(tmp_path)
    for evaluation in run:
        sink.write(evaluation)
    (path,) = files(tmp_path)
    first, *others = events(path)  # readable at once, without flush or close
    assert first.file_version == "brain.Event:2"
    assert [event.step for event in others] == [evaluation.step for evaluation in run]
    assert [event.wall_time for event in others] == [evaluation.time for evaluation in run]
    sink.close()


def test_name_of_the_file(tmp_path):
    written(tmp_path, [])
    (path,) = files(tmp_path)
    assert re.fullmatch(rf"events\.out\.tfevents\.\d{{10}}\..+\.{os.getpid()}\.\d+\.polar", path.name)


def test_files_sort_as_they_were_opened_even_within_a_second_or_when_the_clock_goes_back(tmp_path, monkeypatch):
    seconds = iter([1_800_000_000.2, 1_800_000_000.7, *[1_799_999_000.0] * 10])
    monkeypatch.setattr(event_file, "_numbers", itertools.count(5))
    monkeypatch.setattr(event_file.time, "time", lambda: next(seconds, 0.0))
    opened = [event_file.EventFile(str(tmp_path)) for _ in range(8)]
    for file in opened:
        file.close()
    assert [Path(file.path) for file in opened] == files(tmp_path)


def test_a_name_that_is_taken_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(event_file, "_numbers", itertools.count(7))
    monkeypatch.setattr(event_file.os, "listdir", lambda folder: [])  # as if another machine made it just now
    monkeypatch.setattr(event_file.time, "time", lambda: 1_800_000_000.0)
    first = event_file.EventFile(str(tmp_path))
    monkeypatch.setattr(event_file, "_numbers", itertools.count(7))
    second = event_file.EventFile(str(tmp_path))
    first.close()
    second.close()
    assert first.path != second.path
    assert len(files(tmp_path)) == 2
    assert all(len(events(path)) == 1 for path in files(tmp_path))


def test_two_writers_in_one_folder(tmp_path):
    one, two = TensorBoardSink(tmp_path), TensorBoardSink(tmp_path)
    one.write(make_evaluation(100, name="one"))
    two.write(make_evaluation(200, name="two"))
    one.write(make_evaluation(300, name="one"))
    one.close()
    two.close()
    assert len(files(tmp_path)) == 2
    board = read(tmp_path)
    assert [step for step, _ in series(board, "polar/one/active")] == [100, 300]
    assert [step for step, _ in series(board, "polar/two/active")] == [200]


def test_no_thread_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", lambda self: pytest.fail(f"{self} was started"))
    before = threading.active_count()
    sink = TensorBoardSink(tmp_path)
    sink.write(make_evaluation())
    sink.flush()
    assert threading.active_count() == before
    sink.close()


class FullDisk:
    """A file on a disk that fills up in the middle of one record."""

    def __init__(self, file: io.FileIO) -> None:
        self.file, self.full = file, True

    def write(self, data: memoryview) -> int:
        if not self.full:
            return self.file.write(data)
        if len(data) > 50:
            return self.file.write(data[: len(data) // 2])
        self.full = False
        raise OSError(28, "No space left on device")

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)


def test_a_full_disk_costs_one_record(tmp_path):
    sink = TensorBoardSink(tmp_path)
    sink._board._file._file = FullDisk(sink._board._file._file)
    before = files(tmp_path)[0].stat().st_size
    with pytest.raises(OSError, match="No space left"):
        sink.write(make_evaluation(100, verdict=Verdict.GRADED))
    assert files(tmp_path)[0].stat().st_size == before
    sink.write(make_evaluation(200, verdict=Verdict.GRADED))
    sink.close()
    board = read(tmp_path)
    assert [step for step, _ in series(board, "polar/active")] == [200]
    # what is told only when it changes was lost, and is told again
    assert len(texts(board, "polar/verdict")) == 1
    assert len(board.Tensors("custom_scalars__config__")) == 1
    assert [image.step for image in board.Images("polar/states")] == [200]


def test_append_survives_short_writes(tmp_path):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    with Slow(tmp_path / "log", "xb") as file:
        _append.append(file, b"0123456789" * 5)
    assert (tmp_path / "log").read_bytes() == b"0123456789" * 5


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PolarMonitorError, match=r"log_dir: cannot write to .*file.*pass a folder"):
        TensorBoardSink(tmp_path / "file" / "below")


@pytest.mark.parametrize("where", ["s3://bucket/run", "gs://bucket/run", "memory://run"])
def test_a_remote_folder_is_refused(where):
    with pytest.raises(PolarMonitorError, match="expected a local folder"):
        TensorBoardSink(where)


def test_a_closed_sink_says_so(tmp_path):
    sink = written(tmp_path, [make_evaluation()])
    size = files(tmp_path)[0].stat().st_size
    sink.close()
    sink.flush()
    sink.resume(3)
    assert files(tmp_path)[0].stat().st_size == size
    with pytest.raises(PolarMonitorError, match="closed: make a new one"):
        sink.write(make_evaluation())


def test_a_forked_child_writes_nothing(tmp_path):
    sink = TensorBoardSink(tmp_path)
    sink.write(make_evaluation(100))
    size = files(tmp_path)[0].stat().st_size
    child = os.fork()
    if child == 0:
        try:
            sink.write(make_evaluation(200))
            sink.resume(50)
            sink.flush()
            sink.close()
            sink._at_exit()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert files(tmp_path)[0].stat().st_size == size
    sink.write(make_evaluation(300))
    sink.close()
    assert [step for step, _ in series(read(tmp_path), "polar/active")] == [100, 300]


def test_a_forgotten_sink_still_writes_the_last_strip(tmp_path):
    sink = TensorBoardSink(tmp_path)
    run = make_run(32, 4)
    for evaluation in run:
        sink.write(evaluation)
    assert read(tmp_path).Images("polar/states")[-1].step < run[-1].step
    del sink
    assert read(tmp_path).Images("polar/states")[-1].step == run[-1].step


def test_what_cannot_be_finished_is_logged(tmp_path, caplog):
    sink = TensorBoardSink(tmp_path)
    for evaluation in make_run(32, 4):
        sink.write(evaluation)
    sink._board._file._file = FullDisk(sink._board._file._file)
    with caplog.at_level(logging.WARNING, "polar_monitor"):
        sink._at_exit()
    assert "could not be finished: [Errno 28]" in caplog.text


# -- the values -------------------------------------------------------------------------------------------------------


def test_headline(tmp_path):
    evaluations = [make_evaluation(100, LABELS, observed=640), make_evaluation(200, (ACTIVE,) * 4, overhead=0.25)]
    written(tmp_path, evaluations)
    board = read(tmp_path)
    expected = {
        "active": [1, 4],
        "passive": [1, 0],
        "mixed": [1, 0],
        "undecided": [1, 0],
        "information": [float(e.snapshot.information.sum()) for e in evaluations],
        "overhead": [0.004, 0.25],
        "observations": [640, 12_800],
    }
    for what, values in expected.items():
        found = series(board, f"polar/{what}")
        assert [step for step, _ in found] == [100, 200]
        np.testing.assert_allclose([value for _, value in found], values, rtol=1e-6)


def test_nothing_observed(tmp_path):
    written(tmp_path, [make_evaluation(empty=True)])
    board = read(tmp_path)
    assert board.Tags()["scalars"] == ["polar/observations", "polar/overhead"]
    assert series(board, "polar/observations") == [(100, 0)]
    assert board.Tags()["images"] == []


def test_every_dimension_has_its_lines(tmp_path):
    evaluation = make_evaluation(100, LABELS * 2)
    written(tmp_path, [evaluation])
    board = read(tmp_path)
    states = {PASSIVE: 0, UNDECIDED: 1, MIXED: 2, ACTIVE: 3}
    for j, label in enumerate(LABELS * 2):
        ((_, information),) = series(board, f"polar_dims/information/{j:03d}")
        ((_, entropy),) = series(board, f"polar_dims/entropy/{j:03d}")
        assert information == pytest.approx(evaluation.snapshot.information[j], rel=1e-6)
        assert entropy == pytest.approx(evaluation.snapshot.entropy_knn[j], rel=1e-6)
        assert series(board, f"polar_dims/state/{j:03d}") == [(100, states[label])]
    assert len(board.Tags()["scalars"]) == 7 + 3 * 8
    assert len(board.Tags()["histograms"]) == 8


def test_of_many_dimensions_the_extremes_of_the_first_evaluation(tmp_path):
    information = np.random.default_rng(0).permutation(1200) / 1000
    labels = [PASSIVE] * 1200
    written(
        tmp_path,
        [make_evaluation(100, labels, information=information, bins=16),
         make_evaluation(200, labels, information=information[::-1].copy(), bins=16)],
    )  # fmt: skip
    board = read(tmp_path)
    order = np.argsort(information)
    expected = sorted([*order[:16], *order[-16:]])
    for what in ("information", "entropy", "state"):
        tags = [tag for tag in board.Tags()["scalars"] if tag.startswith(f"polar_dims/{what}/")]
        assert sorted(tags) == [f"polar_dims/{what}/{j:04d}" for j in expected]
        assert all(len(series(board, tag)) == 2 for tag in tags)


def test_what_is_not_finite_is_left_out(tmp_path):
    information = [1.0, math.nan, math.inf, 0.5]
    written(tmp_path, [make_evaluation(100, LABELS, information=information, overhead=math.nan)])
    board = read(tmp_path)
    tags = board.Tags()["scalars"]
    assert [tag for tag in tags if "information" in tag] == [
        "polar/information",
        "polar_dims/information/000",
        "polar_dims/information/003",
    ]
    assert "polar/overhead" not in tags
    assert series(board, "polar/information") == [(100, 1.5)]
    assert all(math.isfinite(value) for tag in tags for _, value in series(board, tag))


def test_nothing_finite_at_all(tmp_path):
    written(tmp_path, [make_evaluation(100, LABELS, information=[math.nan] * 4)])
    assert "polar/information" not in read(tmp_path).Tags()["scalars"]


def test_histograms_hold_our_counts(tmp_path):
    evaluation = make_evaluation(100, LABELS)
    written(tmp_path, [evaluation])
    board = read(tmp_path)
    for j, ours in enumerate(evaluation.snapshot.histograms):
        (event,) = board.Histograms(f"polar_dims/mean/{j:03d}")
        theirs = event.histogram_value
        assert theirs.num == sum(theirs.bucket) == ours.counts.sum() == 1000
        assert (theirs.min, theirs.max) == (ours.low, ours.high)
        assert 1 < len(theirs.bucket) == len(theirs.bucket_limit) <= 32


def slowly(h: Histogram) -> tuple[list[float], list[float]] | None:
    """Buckets and limits by hand."""
    filled = [i for i, count in enumerate(h.counts) if count]
    if not filled or not math.isfinite(h.width):
        return None
    pool = math.ceil((filled[-1] + 1 - filled[0]) / 32)
    buckets, limits = [], []
    for start in range(filled[0], filled[-1] + 1, pool):
        stop = min(start + pool, filled[-1] + 1)
        buckets.append(float(sum(h.counts[start:stop])))
        limits.append(h.left + h.width * stop)
    return buckets, limits


@st.composite
def histograms(draw):
    counts = draw(st.lists(st.integers(0, 3), max_size=90))
    width = draw(st.sampled_from([math.nan, 2.0**-9, 0.5, 1024.0]))
    return Histogram(draw(st.integers(-50, 50)) / 4, width, np.array(counts, np.int64), math.nan, math.nan)


@given(st.lists(histograms(), max_size=6))
def test_pooling_all_at_once_is_pooling_one_by_one(many):
    for h, found in zip(many, pooled(many), strict=True):
        expected = slowly(h)
        if expected is None:
            assert found is None
            continue
        buckets, limits = expected
        assert (found.bucket, found.bucket_limit) == (buckets, limits)
        assert found.num == sum(buckets)
        lefts = [found.min, *limits[:-1]]
        middles = [(a + b) / 2 for a, b in zip(lefts, limits, strict=True)]
        assert found.sum == pytest.approx(sum(c * m for c, m in zip(buckets, middles, strict=True)), abs=1e-9)
        squares = sum(c * m * m for c, m in zip(buckets, middles, strict=True))
        assert found.sum_squares == pytest.approx(squares, abs=1e-9)
        assert found.max == limits[-1]


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.25, 3.5, (0.25, 3.5)), (-9.0, 3.5, (0.0, 3.5)), (0.25, 99.0, (0.25, 4.0)), (1.5, 1.5, (0.0, 4.0))],
    ids=["known", "outlier_below", "outlier_above", "a_point"],
)
def test_ends_are_the_extreme_values_where_these_are_in_the_outermost_bins(low, high, ends):
    (found,) = pooled([Histogram(0.0, 1.0, np.array([1, 0, 2, 1]), low, high)])
    assert (found.min, found.max) == ends


def test_alerts_and_verdict_are_texts(tmp_path):
    alerts = make_alert(100, 2), make_alert(100, None)
    written(
        tmp_path,
        [make_evaluation(100, alerts=alerts), make_evaluation(200), make_evaluation(300, verdict=Verdict.COLLAPSED)],
    )
    board = read(tmp_path)
    (said,) = texts(board, "polar/alerts")
    assert said.startswith("**FADING** at step 100, dimension 2\n")
    assert "information fell from 1.20 to 0.48 nats" in said
    assert "passive at about step 600 (from 400 to 1000)" in said
    assert said.count("**FADING**") == 2
    assert [text.split("\n")[0] for text in texts(board, "polar/verdict")] == ["**polarised**", "**collapsed**"]
    assert [event.step for event in board.Tensors("polar/verdict")] == [100, 300]
    assert board.SummaryMetadata("polar/alerts").plugin_data.plugin_name == "text"


def test_name_and_mode_stand_before_the_tag(tmp_path):
    written(
        tmp_path,
        [
            make_evaluation(100),
            make_evaluation(100, mode="eval"),
            make_evaluation(100, name="z top"),
            make_evaluation(100, name="z top", mode="eval"),
        ],
    )
    tags = read(tmp_path).Tags()["scalars"]
    for prefix in ("", "eval/", "z_top/", "z_top/eval/"):
        assert f"polar/{prefix}active" in tags
        assert f"polar_dims/{prefix}state/003" in tags


def test_layout_matches_exactly_the_tags_meant(tmp_path):
    written(tmp_path, [make_evaluation(100), make_evaluation(100, name="a.b", mode="eval"), make_evaluation(200)])
    board = read(tmp_path)
    newest = board.Tensors("custom_scalars__config__")[-1]
    layout = layout_pb2.Layout.FromString(newest.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["polar", "polar/a.b/eval"]
    tags = [*board.Tags()["scalars"], "polar/active_final", "my/polar/active", "polar/aXb/eval/active"]

    def matched(category: int, chart: int) -> list[str]:
        (pattern,) = layout.category[category].chart[chart].multiline.tag
        return sorted(tag for tag in tags if re.match(pattern, tag))  # as the plugin does

    for category, prefix in enumerate(("", "a.b/eval/")):
        labels = ("active", "mixed", "passive", "undecided")
        assert matched(category, 0) == [f"polar/{prefix}{label}" for label in labels]
        assert matched(category, 1) == [f"polar/{prefix}information"]
        for chart, what in ((2, "information"), (3, "entropy"), (4, "state")):
            assert matched(category, chart) == [f"polar_dims/{prefix}{what}/{j:03d}" for j in range(4)]
        assert matched(category, 5) == [f"polar/{prefix}overhead"]
    assert len(board.Tensors("custom_scalars__config__")) == 2


def test_the_state_strip_is_a_picture(tmp_path):
    run = make_run(40, 6)
    written(tmp_path, run)
    shown = read(tmp_path).Images("polar/states")
    assert shown[-1].step == run[-1].step
    assert len(shown) < len(run)
    picture = Image.open(io.BytesIO(shown[-1].encoded_image_string))
    picture.load()
    assert picture.format == "PNG"
    assert picture.size == (shown[-1].width, shown[-1].height)


# -- resumed runs -----------------------------------------------------------------------------------------------------


def test_purge_step_hides_what_a_killed_run_wrote_later(tmp_path):
    written(tmp_path, [make_evaluation(step, (ACTIVE,) * 4) for step in range(100, 600, 100)])
    written(tmp_path, [make_evaluation(step, (PASSIVE,) * 4) for step in (300, 400)], purge_step=300)
    board = read(tmp_path)
    assert series(board, "polar/passive") == [(100, 0), (200, 0), (300, 4), (400, 4)]
    assert len(board.Histograms("polar_dims/mean/000")) == 4


def test_resume_goes_on_after_the_step(tmp_path):
    sink = TensorBoardSink(tmp_path)
    for step in (100, 200, 300):
        sink.write(make_evaluation(step, (ACTIVE,) * 4))
    sink.resume(200)
    sink.write(make_evaluation(300, (PASSIVE,) * 4))
    sink.close()
    assert series(read(tmp_path), "polar/passive") == [(100, 0), (200, 0), (300, 4)]


def test_resume_from_the_beginning_leaves_layout_and_verdict(tmp_path):
    sink = TensorBoardSink(tmp_path)
    for step in (100, 200):
        sink.write(make_evaluation(step))
    sink.resume(0)
    assert series(read(tmp_path), "polar/active") == []
    sink.write(make_evaluation(50))
    sink.resume(0)
    sink.write(make_evaluation(60))
    sink.close()
    assert series(read(tmp_path), "polar/active") == [(60, 1)]
    served = plugin_event_accumulator.EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    for tag in ("polar/verdict", "custom_scalars__config__", "polar/states"):
        assert [event.step for event in served.Tensors(tag)] == [60], tag


def test_a_negative_purge_step_is_refused(tmp_path):
    with pytest.raises(PolarMonitorError, match=r"purge_step: expected .* got -1"):
        TensorBoardSink(tmp_path, purge_step=-1)


def test_default_folder_is_where_summary_writer_would_write():
    assert re.fullmatch(r"runs[/\\][A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_.+", default_log_dir())


def test_nothing_is_drawn_after_a_resume_that_nothing_followed(tmp_path):
    sink = TensorBoardSink(tmp_path)
    for evaluation in make_run(32, 4):
        sink.write(evaluation)
    sink.resume(0)
    sink.close()
    assert read(tmp_path).Images("polar/states") == []
