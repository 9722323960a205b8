"""Event files: framed and summed like TensorBoard's own, under names that sort in the order of writing."""

from __future__ import annotations

import io
import itertools
import os
import re
from pathlib import Path

import numpy as np
from boards import events, files, written
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c as reference_crc32c

from polar_monitor.kernels.crc32c import crc32c
from polar_monitor.sinks.tensorboard import event_file


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
