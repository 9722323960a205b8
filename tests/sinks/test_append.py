"""Appending to a log."""

from __future__ import annotations

import io

from polar_monitor.sinks import _append


def test_append_survives_short_writes(tmp_path):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    with Slow(tmp_path / "log", "xb") as file:
        _append.append(file, b"0123456789" * 5)
    assert (tmp_path / "log").read_bytes() == b"0123456789" * 5
