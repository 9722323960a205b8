"""Short floats: the nearest ones, named by few digits, and their bytes as text."""

from __future__ import annotations

import base64
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.arrays.short_floats import DECIMALS, LARGEST, packed_text, shortened, unpacked
from polar_monitor.kernels.light.kinds import CONSTANT, UNKNOWN, VARYING

SIZES = st.sampled_from(sorted(DECIMALS))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def short(value: float, size: int) -> float:
    return float(rounded([value], size)[0])


def rounded(values: list[float], size: int) -> np.ndarray:
    return shortened(np.array([values]), np.array([size])).values[0]


def twin(value: float, size: int) -> float:
    """The nearest of the two short floats around a float32, the even one if both are as near."""
    single = float(np.float32(max(-LARGEST, min(value, LARGEST))))
    cut = struct.pack(">f", single)[:size]
    below = abs(struct.unpack(">f", cut + bytes(4 - size))[0])
    after = (int.from_bytes(cut, "big") + 1).to_bytes(size, "big")
    above = abs(struct.unpack(">f", after + bytes(4 - size))[0])
    near = abs(single) - below, above - abs(single)
    even = below if cut[-1] % 2 == 0 else above
    nearest = even if near[0] == near[1] else below if near[0] < near[1] else above
    return math.copysign(nearest, single)


@given(NUMBERS | st.floats(-100, 100), SIZES)
def test_the_nearest_one_is_taken(value, size):
    assert short(value, size) == twin(value, size)


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (1.0 + 2**-8, 2, 1.0),  # ties to even
        (1.0 + 3 * 2**-8, 2, 1.0 + 2**-6),
        (1.0 + 2**-16, 3, 1.0),
        (-1.0 - 3 * 2**-16, 3, -1.0 - 2**-14),
        (4096.0, 2, 4096.0),
        (65_535.0, 3, 65_535.0),
        (1e300, 3, LARGEST),
        (-1e300, 2, -LARGEST),
        (1e-300, 3, 0.0),
    ],
)
def test_known_numbers(value, size, expected):
    assert short(value, size) == expected


def test_what_is_not_finite_is_not_a_number_whatever_its_bits():
    odd = np.array([0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF], np.uint64).view(np.float64)
    values = np.array([[math.inf, -math.inf, math.nan, *odd]])
    for size in DECIMALS:
        assert np.isnan(rounded(values[0].tolist(), size)).all()


@given(NUMBERS, SIZES)
def test_a_short_float_stays_as_it_is_and_its_digits_name_it(value, size):
    once = short(value, size)
    assert short(once, size) == once
    assert short(float(f"{once:.{DECIMALS[size]}g}"), size) == once


def test_zero_has_no_sign():
    short_ones = shortened(np.array([[-0.0, -1e-300], [-0.0, -0.0]]), np.array([2, 0]), pack=True)
    assert str(short_ones.values.tolist()) == "[[0.0, 0.0], [0.0, 0.0]]"
    assert str(unpacked(packed_text(short_ones.packed[0, :4]), 2, 2).tolist()) == "[0.0, 0.0]"


@given(st.lists(NUMBERS | st.just(math.nan), min_size=1, max_size=20), SIZES)
def test_what_is_packed_comes_back(values, size):
    short_ones = shortened(np.array([values]), np.array([size]), pack=True)
    text = packed_text(short_ones.packed[0, : size * len(values)])
    np.testing.assert_array_equal(unpacked(text, size, len(values)), short_ones.values[0], strict=True)
    with pytest.raises(ValueError, match="expected"):
        unpacked(text, size, len(values) + 1)


def test_the_packed_bytes_are_the_first_of_a_float32():
    values = np.array([0.1, -2.5, 4096.0])
    packed = shortened(values[None].copy(), np.array([3]), pack=True).packed[0]
    expected = b"".join(struct.pack(">f", short(value, 3))[:3] for value in values)
    assert base64.b64decode(packed_text(packed)) == expected == packed.tobytes()


def test_each_row_has_its_own_size():
    both = shortened(np.full((2, 2), 1 / 3), np.array([3, 2])).values
    assert both.tolist() == [[short(1 / 3, 3)] * 2, [short(1 / 3, 2)] * 2]


def test_a_row_of_size_zero_stays_as_it_is():
    values = np.array([[1 / 3, 1e300, math.inf]])
    assert shortened(values.copy(), np.array([0])).values.tolist() == values.tolist()


@pytest.mark.parametrize("size", [0, 2, 3])
def test_each_row_has_a_kind(size):
    rows = {(math.nan, math.nan): UNKNOWN, (2.5, 2.5): CONSTANT, (2.5, math.nan): VARYING, (math.nan, 2.5): VARYING}
    kinds = shortened(np.array(list(rows)), np.full(len(rows), size)).kinds
    assert kinds.tolist() == list(rows.values())
    assert shortened(np.array([[1.0, 1.0 + 1e-9]]), np.array([size])).kinds[0] == (CONSTANT if size else VARYING)


@pytest.mark.parametrize("size", [2, 3])
def test_deflated_text_comes_back_and_too_much_of_it_is_refused(size: int) -> None:
    values = np.where(np.arange(600) % 2, math.nan, np.arange(600.0))
    short_ones = shortened(values[None].copy(), np.array([size]), pack=True)
    text = packed_text(short_ones.packed[0, : size * 600], deflate=True)
    assert len(text) < len(packed_text(short_ones.packed[0, : size * 600]))
    np.testing.assert_array_equal(unpacked(text, size, 600), short_ones.values[0])
    for count in (599, 601):
        with pytest.raises(ValueError, match=f"expected {count} numbers"):
            unpacked(text, size, count)
    for broken in (text[:-8], "z:", "z:AAAA"):
        with pytest.raises(ValueError, match="expected"):
            unpacked(broken, size, 600)
