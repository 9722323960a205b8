"""The protocol buffers of single values: a number, a histogram, a text.

Imported by the TensorBoard sink only, once it is constructed. The functions add values to a `Summary` in place, since
values that are built apart are copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from ...alerts.alert import Alert
from .buckets import Buckets

TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
MAX_FLOAT32 = 3.4e38
"""Largest number that `simple_value`, a float32, holds."""


def add_scalars(values: Any, scalars: Mapping[str, float]) -> None:
    """Add a finite number for each tag."""
    add = values.add
    for tag, number in scalars.items():
        add(tag=tag, simple_value=max(-MAX_FLOAT32, min(number, MAX_FLOAT32)))


def add_histogram(values: Any, tag: str, buckets: Buckets) -> None:
    """Add a histogram for the Histograms and Distributions pages."""
    values.add(tag=tag, histo=buckets._asdict())


def add_text(values: Any, tag: str, markdown: str) -> None:
    """Add a text for the Text page."""
    content = markdown.encode("utf-8", "replace")
    values.add(tag=tag, metadata=TEXT, tensor=TensorProto(dtype=DT_STRING, string_val=[content]))


def alert_markdown(alert: Alert) -> str:
    """Return an alert as markdown, for people."""
    where = "" if alert.dimension is None else f", dimension {alert.dimension}"
    lines = [f"**{alert.kind.upper()}** at step {alert.step}{where}", "", escape(alert.message), ""]
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
    """Return markdown that shows `text` as it is."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
