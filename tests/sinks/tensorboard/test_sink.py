"""The TensorBoard sink: nothing is lost, whatever happens to the disk or the process, and a resumed run goes on."""

from __future__ import annotations

import logging
import os
import re
import threading

import pytest
from boards import FullDisk, events, files, read, series, texts, written
from records import ACTIVE, PASSIVE, make_evaluation, make_run
from tensorboard.backend.event_processing import plugin_event_accumulator

from polar_monitor.errors import PolarMonitorError
from polar_monitor.regime.regime import Verdict
from polar_monitor.sinks.tensorboard import TensorBoardSink, default_log_dir


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
    # values that are written only when they change were lost, and are written again
    assert len(texts(board, "polar/verdict")) == 1
    assert len(board.Tensors("custom_scalars__config__")) == 1
    assert [image.step for image in board.Images("polar/states")] == [200]


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


def test_purge_step_hides_what_a_killed_run_wrote_later(tmp_path):
    written(tmp_path, [make_evaluation(step, (ACTIVE,) * 4) for step in range(100, 600, 100)])
    written(tmp_path, [make_evaluation(step, (PASSIVE,) * 4) for step in (300, 400)], purge_step=300)
    board = read(tmp_path)
    assert series(board, "polar/passive") == [(100, 0), (200, 0), (300, 4), (400, 4)]
    tensors = plugin_event_accumulator.EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in tensors.Tensors("polar_dims/mean/000")] == [100, 300]  # the first of each run


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
