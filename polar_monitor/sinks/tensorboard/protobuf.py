"""The protocol buffers of an event and of single values: numbers, a histogram, a text.

Imported by the TensorBoard sink only, once it is constructed. An event and its numbers, which every evaluation has, are
encoded here: a field is its number and its kind, then its content, which follows its length if it may vary. The rarer
values are added to a `Summary` of the library in place, since values that are built apart are copied.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_STRING

from ...alerts.advice import named
from ...alerts.alert import Alert
from ...errors import printable

HISTOGRAM = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="histograms"))
TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
MAX_FLOAT32 = 3.4e38
"""Largest number that `simple_value`, a float32, holds."""


def event(wall_time: float, step: int, summary: bytes) -> bytes:
    """Return the serialised `Event` of a serialised `Summary`.

    Example:
        >>> event(1.5, 300, b"").hex(" ")
        '09 00 00 00 00 00 00 f8 3f 10 ac 02 2a 00'
    """
    time = struct.pack("<d", wall_time)
    return b"".join((b"\x09", time, b"\x10", _varint(step), b"\x2a", _varint(len(summary)), summary))


def scalar_heads(tags: Iterable[str]) -> tuple[bytes, ...]:
    """Return the bytes before the number in the `Summary.Value` of each tag; `scalars` needs them."""
    return tuple(_scalar_head(tag.encode()) for tag in tags)


def _scalar_head(tag: bytes) -> bytes:
    tagged = b"\x0a" + _varint(len(tag)) + tag + b"\x15"
    return b"\x0a" + _varint(len(tagged) + 4) + tagged


def scalars(heads: Sequence[bytes], numbers: Sequence[float]) -> bytes:
    """Return the serialised values of the finite numbers. There are as many heads as numbers, or more."""
    known = [head for head, number in zip(heads, numbers, strict=False) if isfinite(number)]
    numbers = [max(-MAX_FLOAT32, min(number, MAX_FLOAT32)) for number in numbers if isfinite(number)]
    parts: list[Any] = [None] * (2 * len(known))
    parts[::2], parts[1::2] = known, numbers
    return _format(tuple(map(len, known))).pack(*parts)


@functools.lru_cache(maxsize=64)
def _format(lengths: tuple[int, ...]) -> struct.Struct:
    """Return the format of numbers after heads of these lengths."""
    return struct.Struct("<" + "".join([f"{length}sf" for length in lengths]))


def _varint(number: int) -> bytes:
    """Return a whole number from 0 on, seven bits a byte, the last ones first."""
    bytes_ = bytearray()
    while number > 127:
        bytes_.append(number & 127 | 128)
        number >>= 7
    bytes_.append(number)
    return bytes(bytes_)


def add_histogram(values: Any, tag: str, rows: NDArray[np.float64]) -> None:
    """Add a histogram (k, 3) of left edges, right edges and counts for the Histograms and Distributions pages."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in rows.shape])
    tensor = TensorProto(dtype=DT_DOUBLE, tensor_shape=shape, tensor_content=rows.astype("<f8").tobytes())
    values.add(tag=tag, metadata=HISTOGRAM, tensor=tensor)


def add_text(values: Any, tag: str, markdown: str) -> None:
    """Add a text for the Text page."""
    content = printable(markdown).encode("utf-8", "replace")
    values.add(tag=tag, metadata=TEXT, tensor=TensorProto(dtype=DT_STRING, string_val=[content]))


def alert_markdown(alert: Alert) -> str:
    """Return an alert as markdown, for people."""
    where = f", {named(alert.dimensions)}" if alert.dimensions else ""
    before = "" if alert.amends is None else f", in place of that of step {alert.amends}"
    lines = [f"**{alert.kind.upper()}** at step {alert.step}{where}{before}", "", escape(alert.message), ""]
    if alert.forecast is not None:
        f = alert.forecast
        until = "no end" if f.high is None else f"{f.high}"
        lines.append(f"* out of use at about step {f.step} (from {f.low} to {until})")
    if alert.last_healthy_step is not None:
        lines.append(f"* last healthy step: {alert.last_healthy_step}")
    if alert.evidence:
        lines.append("* evidence: " + ", ".join(f"{escape(k)} {v:.4g}" for k, v in alert.evidence.items()))
    for title, points in (("possible causes", alert.causes), ("what to try", alert.advice)):
        if points:
            lines += [f"* {title}", *(f"    * {escape(point)}" for point in points)]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return markdown that shows `text` as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", printable(text, keep=""))
