"""The protocol buffers of single values: a number, a histogram, a text.

Imported by the TensorBoard sink only, once it is constructed. Values are added to a `Summary` in place, since building
them apart copies each of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from ...alerts.alert import Alert
from .buckets import Buckets

TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
LARGEST = 3.4e38
"""Of what `simple_value`, a float32, can hold."""


def add_scalars(values: Any, tags: Iterable[str], numbers: Iterable[float]) -> None:
    """A number for each tag; those that are not finite are left out."""
    add, isfinite = values.add, math.isfinite
    for tag, number in zip(tags, numbers, strict=True):
        if isfinite(number):
            add(tag=tag, simple_value=max(-LARGEST, min(number, LARGEST)))


def add_histogram(values: Any, tag: str, buckets: Buckets) -> None:
    """A histogram for the Histograms and Distributions pages."""
    values.add(tag=tag, histo=buckets._asdict())


def add_text(values: Any, tag: str, markdown: str) -> None:
    """A text for the Text page."""
    content = markdown.encode("utf-8", "replace")
    values.add(tag=tag, metadata=TEXT, tensor=TensorProto(dtype=DT_STRING, string_val=[content]))


def alert_markdown(alert: Alert) -> str:
    """An alert as markdown, for people."""
    where = "" if alert.dimension is None else f", dimension {alert.dimension}"
    lines = [f"**{alert.kind.upper()}** at step {alert.step}{where}", "", escape(alert.message), ""]
    if alert.forecast is not None:
        f = alert.forecast
        until = "no end" if f.high is None else f"{f.high}"
        lines.append(f"* passive at about step {f.step} (from {f.low} to {until})")
    if alert.last_healthy_step is not None:
        lines.append(f"* last healthy step: {alert.last_healthy_step}")
    if alert.evidence:
        lines.append("* evidence: " + ", ".join(f"{escape(k)} {v:.4g}" for k, v in alert.evidence.items()))
    for title, points in (("possible causes", alert.causes), ("what to try", alert.advice)):
        if points:
            lines += [f"* {title}", *(f"    * {escape(point)}" for point in points)]
    return "\n".join(lines)


def escape(said: str) -> str:
    """The same words in markdown."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", said)
