"""What TensorBoard itself reads back from our event files, and a disk that fills up."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util.tensor_util import make_ndarray

from polar_monitor.evaluation import Evaluation
from polar_monitor.sinks.tensorboard import TensorBoardSink

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


def histograms(board: EventAccumulator, tag: str) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the steps and the rows (k, 3) of left edge, right edge and count of a histogram."""
    return [(event.step, make_ndarray(event.tensor_proto)) for event in board.Tensors(tag)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def events(path: Path) -> list[Event]:
    return [Event.FromString(record) for record in RawEventFileLoader(str(path)).Load()]


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
