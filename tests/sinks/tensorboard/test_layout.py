"""The layout of the Custom Scalars page."""

from __future__ import annotations

import re

from boards import read, written
from records import make_evaluation
from tensorboard.plugins.custom_scalar import layout_pb2

from polar_monitor.sinks.scalars import DIMENSION_SCALARS


def test_layout_matches_exactly_the_tags_meant(tmp_path):
    written(tmp_path, [make_evaluation(100), make_evaluation(100, name="a.b", mode="eval"), make_evaluation(200)])
    board = read(tmp_path)
    newest = board.Tensors("custom_scalars__config__")[-1]
    layout = layout_pb2.Layout.FromString(newest.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["polar", "polar/a.b/eval"]
    tags = [*board.Tags()["scalars"], "polar/active_final", "my/polar/active", "polar/aXb/eval/active"]

    def matched(category: int, chart: int) -> list[str]:
        (pattern,) = layout.category[category].chart[chart].multiline.tag
        return sorted(tag for tag in tags if re.match(pattern, tag))  # as the plugin does

    for category, prefix in enumerate(("", "a.b/eval/")):
        labels = ("active", "mixed", "passive", "undecided")
        assert matched(category, 0) == [f"polar/{prefix}{label}" for label in labels]
        assert matched(category, 1) == [f"polar/{prefix}information"]
        words = [*(line.word for line in DIMENSION_SCALARS), "state"]
        for chart, word in enumerate(words, 2):
            expected = [f"polar_dims/{prefix}{word}/{j:03d}" for j in range(4)]
            assert matched(category, chart) == [tag for tag in expected if tag in tags]
            assert matched(category, chart) or word not in ("information", "entropy", "state")
        assert matched(category, 2 + len(words)) == [f"polar/{prefix}overhead"]
    assert len(board.Tensors("custom_scalars__config__")) == 2
