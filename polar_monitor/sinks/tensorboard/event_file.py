"""A TensorBoard event file that is written on the caller's thread.

Imported by the TensorBoard sink only, once it is constructed. A record is its length (uint64), the checksum of the
length (uint32), the serialised `Event` and its checksum, little-endian; a checksum is a CRC-32C, rotated and shifted by
a constant, as in tensorboard/summary/writer/record_writer.py.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import socket
import struct
import time

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event

from ...kernels.crc32c import crc32c
from .._append import append, is_gone

SUFFIX = ".polar"
"""End of the names of our event files, so that they collide with no other writer's."""
NAME = re.compile(rf"events\.out\.tfevents\.(\d{{10}})\..*{re.escape(SUFFIX)}")
"""Name of our event files; its group is the time."""
_numbers = itertools.count()


class EventFile:
    """New event file in `folder`, with a name that sorts after those of all our files there. Raises OSError."""

    def __init__(self, folder: str) -> None:
        self.path, self._file = _create(folder)
        self.append(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def append(self, event: bytes) -> None:
        """Write one serialised `Event`, completely or not at all. Raises OSError."""
        append(self._file, framed(event))

    @property
    def is_gone(self) -> bool:
        """True if another program has removed or replaced the file."""
        return is_gone(self._file, self.path)

    def close(self) -> None:
        """Close the file; more than once does nothing."""
        self._file.close()


def framed(event: bytes) -> bytearray:
    """Return the record of a serialised event."""
    record = bytearray(len(event) + 16)
    struct.pack_into("<Q", record, 0, len(event))
    record[12:-4] = event
    data = np.frombuffer(record, dtype=np.uint8)
    struct.pack_into("<I", record, 8, _masked(crc32c(data[:8])))
    struct.pack_into("<I", record, len(record) - 4, _masked(crc32c(data[12:-4])))
    return record


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _create(folder: str) -> tuple[str, io.FileIO]:
    """Open a new file with the latest name: TensorBoard reads the files of a folder in the order of their names."""
    earlier = (NAME.fullmatch(name) for name in os.listdir(folder))
    second = max(int(time.time()), *(int(match[1]) + 1 for match in earlier if match), 0)
    while True:
        name = f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}{SUFFIX}"
        path = os.path.join(folder, name)
        try:
            return path, open(path, "xb", buffering=0)
        except FileExistsError:  # from another machine or container with the same name and process number
            continue
