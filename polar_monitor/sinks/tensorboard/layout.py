"""The layout of TensorBoard's Custom Scalars page: one category for each monitored latent and mode.

Imported by the TensorBoard sink only, once it is constructed. The plugin reads a chart's tags as regular expressions
that need not match to the end, so every pattern here is escaped and anchored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from ..scalars import DIMENSION_SCALARS

CHARTS = (
    ("Dimensions in each state", "polar", "(active|passive|mixed|undecided)"),
    ("Information of all dimensions (nats)", "polar", "information"),
    *((line.title, "polar_dims", rf"{line.word}/\d+") for line in DIMENSION_SCALARS),
    ("State by dimension (passive 0, undecided 1, mixed 2, active 3)", "polar_dims", r"state/\d+"),
    ("Share of the loop's time spent in the monitor", "polar", "overhead"),
)
"""Title, first part of the tag, pattern of its last part."""


def layout(prefixes: Iterable[str]) -> Any:
    """Return the `Summary.Value` of the layout for tag prefixes ("" for the only latent in training, else "eval/", …).

    The page shows the newest layout of a run, so a layout that is written again names all prefixes so far.
    """
    categories = []
    for prefix in prefixes:
        charts = [
            layout_pb2.Chart(
                title=title,
                multiline=layout_pb2.MultilineChartContent(tag=[f"^{group}/{re.escape(prefix)}{pattern}$"]),
            )
            for title, group, pattern in CHARTS
        ]
        categories.append(layout_pb2.Category(title=f"polar/{prefix}".rstrip("/"), chart=charts))
    content = layout_pb2.Layout(category=categories).SerializeToString()
    return Summary.Value(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=metadata.create_summary_metadata(),
        tensor=TensorProto(dtype=DT_STRING, string_val=[content]),
    )
