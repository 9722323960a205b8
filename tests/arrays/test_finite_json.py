"""Numbers as strict JSON has them."""

from __future__ import annotations

import enum
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from polar_monitor.arrays.finite_json import finite_json, finite_list


class Word(enum.StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float64(0.1), 0.1),
        (np.float32(math.inf), None),
        (np.longdouble(2.0), 2.0),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (Word.ONE, "one"),
        (None, None),
        ({"a": (1, math.nan), "b": [{"c": math.inf}]}, {"a": [1, None], "b": [{"c": None}]}),
        ({"means": np.array([[0.5, math.nan]]), "steps": np.array([1, 2])}, {"means": [[0.5, None]], "steps": [1, 2]}),
    ],
    ids=str,
)
def test_each_kind_of_value(value: Any, plain: Any) -> None:
    assert finite_json(value) == plain
    json.dumps(finite_json(value), allow_nan=False)


@pytest.mark.parametrize(
    "value", [pytest.param(object(), id="object"), {1, 2}, np.datetime64("2026-01-01"), b"bytes", 1j], ids=str
)
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="expected plain data, got"):
        finite_json({"a": [value]})


@given(arrays(np.float64, array_shapes(max_dims=2, max_side=6)))
def test_an_array_is_its_finite_numbers_and_none(array: np.ndarray[Any, Any]) -> None:
    plain = np.array(finite_list(array), dtype=object)
    assert plain.shape == array.shape
    for number, made in zip(array.ravel().tolist(), plain.ravel().tolist(), strict=True):
        assert made == (number if math.isfinite(number) else None)


@given(st.lists(st.integers(-(2**62), 2**62)))
def test_whole_numbers_and_flags_stay(numbers: list[int]) -> None:
    assert finite_list(np.array(numbers, np.int64)) == numbers
    assert finite_list(np.array(numbers, np.int64) > 0) == [number > 0 for number in numbers]
