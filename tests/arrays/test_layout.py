"""Which axis of a latent is which: written by the user, or decided from shapes, widths and numbers of inputs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor import PolarMonitorError
from polar_monitor.arrays.layout import axes_of, checked_layout, decided, described


@pytest.mark.parametrize("layout", ["nd", "dn", "ntd", "TND", "ndt", "ndhw", "nhwd", "ndthw", "nd...", "n...d"])
def test_a_layout_is_taken_as_it_is_written(layout: str) -> None:
    assert checked_layout(layout) == layout.lower()


@pytest.mark.parametrize("layout", [3, "", "n", "nn", "nhw", "nttd", "n t d", "n1d", "ndé", "n......d", ("n", "d")])
def test_a_bad_layout_is_one_clear_error(layout: Any) -> None:
    with pytest.raises(PolarMonitorError, match=r'layout: expected .* got .*: write layout="nd", "ntd"'):
        checked_layout(layout)


@pytest.mark.parametrize(
    ("layout", "axes", "letters"),
    [
        (None, 1, "n"), (None, 2, "nd"), (None, 3, "ntd"), (None, 4, "ndhw"), (None, 5, "ndthw"),
        ("nd...", 1, "n"), ("nd...", 2, "nd"), ("nd...", 3, "ndt"), ("...nd", 2, "nd"), ("...nd", 3, "tnd"),
        ("n...d", 5, "nthwd"), ("tnd", 3, "tnd"),
    ],
)  # fmt: skip
def test_letters_of_the_axes(layout: str | None, axes: int, letters: str) -> None:
    assert axes_of(layout, axes) == letters


@pytest.mark.parametrize(("layout", "axes"), [("ntd", 2), ("ntd", 4), ("nd", 1), ("nhwd...", 3)])
def test_another_number_of_axes_is_an_error(layout: str, axes: int) -> None:
    with pytest.raises(ValueError, match=f"layout: expected .* axes, as in .*, got {axes}: write"):
        axes_of(layout, axes)


def test_the_description() -> None:
    assert described("ndt", (16, 3, 40)) == "D = 3 from (16, 3, 40): inputs × dimensions × places"
    assert described("n", (16,)) == "D = 1 from (16,): inputs"


@pytest.mark.parametrize(
    ("shapes", "known", "letters"),
    [
        ([(16, 40, 3)], {}, "ntd"),
        ([(16, 3, 40)], {"hint": "nd..."}, "ndt"),
        ([(16, 3, 40), (16, 3, 25)], {}, "ndt"),
        ([(16, 3, 40)], {"width": 3}, "ndt"),
        ([(16, 3, 40)], {"width": 3, "hint": "n...d"}, "ndt"),
        ([(40, 16, 3)], {"hint": "...nd"}, "tnd"),
        ([(40, 16, 3)], {"batch_sizes": [16]}, "tnd"),
        ([(40, 16, 3)], {"batch_sizes": [40]}, "ntd"),
        ([(1, 16, 3)], {"hint": "n...d", "batch_sizes": [16]}, "tnd"),
        ([(16, 16, 3), (16, 9, 3)], {"batch_sizes": [16, 9]}, "tnd"),
        ([(16, 8, 8, 4)], {"width": 4}, "nhwd"),
        ([(16, 4, 8, 8)], {"width": 4, "hint": "n...d"}, "ndhw"),
        ([(16, 4, 8, 8)], {"width": 5}, "ndhw"),  # a width that is no size says nothing
        ([(7, 16, 4, 8, 8)], {"width": 4, "batch_sizes": [16]}, "tndhw"),
        ([(16, 3)], {"width": 16, "batch_sizes": [3]}, "nd"),
        ([(16,)], {"hint": "nd..."}, "n"),
        ([(9, 16, 3), (16, 3)], {}, "nd"),
    ],
)
def test_the_layout_is_decided_by_what_is_known(shapes: Any, known: dict[str, Any], letters: str) -> None:
    assert decided(shapes, **known) == letters


LAYOUTS = {3: ["ntd", "ndt", "tnd"], 4: ["ndhw", "nhwd", "hndw", "hnwd", "hwnd"]}


@given(data=st.data(), axes=st.sampled_from([3, 4]))
def test_with_the_width_and_the_number_of_inputs_every_layout_is_recognised(data: st.DataObject, axes: int) -> None:
    true = data.draw(st.sampled_from(LAYOUTS[axes]))
    sizes = data.draw(st.lists(st.integers(2, 99), min_size=axes, max_size=axes, unique=True))
    by_letter = dict(zip(true, sizes, strict=True))
    letters = decided([sizes], by_letter["d"], None, [by_letter["n"]])
    assert (letters.index("n"), letters.index("d")) == (true.index("n"), true.index("d"))


@given(data=st.data(), axes=st.sampled_from([3, 4, 5]), hint=st.sampled_from([None, "nd...", "n...d", "...nd"]))
def test_a_size_that_varies_is_never_the_dimensions(data: st.DataObject, axes: int, hint: str | None) -> None:
    size = st.lists(st.integers(1, 9), min_size=axes, max_size=axes)
    shapes = data.draw(st.lists(size, min_size=2, max_size=4))
    letters = decided(shapes, data.draw(st.none() | st.integers(1, 9)), hint)
    constant = [axis for axis in (1, 2, axes - 1) if len({shape[axis] for shape in shapes}) == 1]
    if set(constant) & {1, axes - 1}:
        assert len({shape[letters.index("d")] for shape in shapes}) == 1
