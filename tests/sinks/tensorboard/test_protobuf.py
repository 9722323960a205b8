"""The events that are encoded here are those of TensorBoard's own protocol buffers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from polar_monitor.sinks.tensorboard.protobuf import MAX_FLOAT32, event, scalar_heads, scalars

TAGS = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.floats(allow_nan=False), st.integers(1, 2**63 - 1), st.lists(st.tuples(TAGS, NUMBERS), min_size=1, max_size=5)
)
def test_an_event_is_tensorboards_to_the_byte(wall_time, step, points):
    theirs = Event(wall_time=wall_time, step=step)
    for tag, number in points:
        theirs.summary.value.add(tag=tag, simple_value=number)
    heads = scalar_heads(tag for tag, _ in points)
    ours = event(wall_time, step, scalars(heads, [number for _, number in points]))
    assert Event.FromString(ours) == theirs
    if wall_time and all(tag for tag, _ in points):  # the library leaves out what is empty
        assert ours == theirs.SerializeToString()


def test_the_first_step_is_read_back():
    back = Event.FromString(event(0.0, 0, b""))
    assert (back.wall_time, back.step, back.WhichOneof("what")) == (0.0, 0, "summary")


def test_numbers_that_are_not_finite_are_left_out_and_large_ones_limited():
    heads = scalar_heads("abcde")
    back = Summary.FromString(scalars(heads, [math.nan, 1e300, -math.inf, -1e300, 2]))
    assert [value.tag for value in back.value] == ["b", "d", "e"]
    assert [value.simple_value for value in back.value] == pytest.approx([MAX_FLOAT32, -MAX_FLOAT32, 2.0])


def test_there_may_be_fewer_numbers_than_tags():
    back = Summary.FromString(scalars(scalar_heads("abc"), [1.0]))
    assert [value.tag for value in back.value] == ["a"]


def test_the_values_of_a_library_may_follow():
    others = Summary()
    others.value.add(tag="b", simple_value=2.0)
    both = Event.FromString(event(1.0, 1, scalars(scalar_heads("a"), [1.0]) + others.SerializeToString()))
    assert [value.tag for value in both.summary.value] == ["a", "b"]
