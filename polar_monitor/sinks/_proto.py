"""The protocol buffers of single values: a number, a histogram from counts, a text.

Imported by the TensorBoard sink only, once it is constructed.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING

from ..alerts import Alert
from ..snapshot import Histogram

BUCKETS = 32
"""Most buckets of a histogram; the page itself draws 30."""
TEXT = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))


def histogram_proto(histogram: Histogram) -> Any | None:
    """At most 32 buckets from the first filled bin to the last, pooled exactly; None for an empty histogram."""
    filled = np.flatnonzero(histogram.counts)
    if not filled.size or not math.isfinite(histogram.width):
        return None
    first, stop = int(filled[0]), int(filled[-1]) + 1
    pool = -(-(stop - first) // BUCKETS)
    starts = np.arange(first, stop, pool)
    counts = np.add.reduceat(histogram.counts[:stop], starts)
    width = histogram.width
    lefts = histogram.left + width * starts
    limits = np.minimum(lefts + width * pool, histogram.left + width * stop)
    # The true ends, where they are known, instead of the edges of the outermost bins.
    low, high = float(lefts[0]), float(limits[-1])
    if low < histogram.low < histogram.high < high:
        low, high = histogram.low, histogram.high
    middles = 0.5 * (lefts + limits)
    return HistogramProto(
        min=low,
        max=high,
        num=float(counts.sum()),
        sum=float(counts @ middles),
        sum_squares=float(counts @ middles**2),
        bucket_limit=limits.tolist(),
        bucket=counts.tolist(),
    )


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


def scalar(tag: str, value: float) -> list[Any]:
    """One number, or nothing where it is not finite."""
    return [Summary.Value(tag=tag, simple_value=value)] if math.isfinite(value) else []


def text(tag: str, markdown: str) -> Any:
    """A text for the Text page."""
    content = markdown.encode("utf-8", "replace")
    return Summary.Value(tag=tag, metadata=TEXT, tensor=TensorProto(dtype=DT_STRING, string_val=[content]))
