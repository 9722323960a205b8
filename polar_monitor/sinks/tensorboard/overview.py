"""The row of a run on TensorBoard's HParams page, and its numbers: verdict, use, nats, and what the loop logs.

Imported by the TensorBoard sink only, once it is constructed. TensorBoard keeps the first hyper-parameters of a folder,
and of each number the newest. What may still change is a number, then, so that a row is true while a run is written, if
it was killed, and if it was resumed. `tensorboard.plugins.hparams.metadata`, which has these names, loads TensorFlow
where it is installed.
"""

from __future__ import annotations

import math
from typing import Any

from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

from ...context import Context
from ...evaluation import Evaluation
from ...regime.regime import Verdict

START = "_hparams_/session_start_info"
"""Tag of the hyper-parameters of a run."""
VERDICTS = {Verdict.COLLAPSED: 0.0, Verdict.GRADED: 1.0, Verdict.POLARISED: 2.0, Verdict.ALL_ACTIVE: 3.0}
"""Number of each verdict; one that is not estimable has none."""
VERDICT_NAME = "verdict ({})".format(", ".join(f"{code:g} {verdict}" for verdict, code in VERDICTS.items()))
LOGGED = tuple(vars(Context()))
"""Numbers that the loop logs."""


def tags(prefix: str) -> tuple[str, ...]:
    """Return the tags of the numbers; the page shows those first whose names come first."""
    words = (VERDICT_NAME.replace("_", " "), "in use", "nats", *LOGGED)
    return tuple(f"overview/{prefix}{word}" for word in words)


def numbers(evaluation: Evaluation, total: float) -> list[float]:
    """Return the numbers of an evaluation in the order of `tags`, with the `total` of the nats; NaN if not known."""
    regime, context = evaluation.regime, evaluation.context
    judged = [math.nan, math.nan, math.nan]
    if regime is not None:
        judged = [VERDICTS.get(regime.verdict, math.nan), float(len(regime.informative)), total]
    logged = (getattr(context, name) for name in LOGGED)
    return judged + [math.nan if value is None else value for value in logged]


def add_row(values: Any, evaluation: Evaluation) -> None:
    """Add the row of a run to the HParams page."""
    info = SessionStartInfo(start_time_secs=evaluation.time)
    dimensions = 0 if evaluation.snapshot is None else evaluation.snapshot.dimensions
    info.hparams["latent dimensions"].number_value = dimensions
    content = HParamsPluginData(session_start_info=info, version=0).SerializeToString()
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=content))
    empty = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=0)]))
    values.add(tag=START, metadata=metadata, tensor=empty)
