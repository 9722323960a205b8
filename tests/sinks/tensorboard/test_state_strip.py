"""The state strip: what it remembers, and where it draws it."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from records import ACTIVE, MIXED, PASSIVE, UNDECIDED

from polar_monitor.regime.label import Label
from polar_monitor.sinks.scalars import STATE_CODES
from polar_monitor.sinks.tensorboard import state_strip
from polar_monitor.sinks.tensorboard.state_strip import (
    COLOURS,
    FOOTER,
    GUTTER,
    MARGIN,
    MAX_COLUMNS,
    WIDTH,
    StateStrip,
)

LABELS = (ACTIVE, PASSIVE, MIXED, UNDECIDED)


def history(strip: StateStrip, evaluations: int, dimensions: int) -> None:
    for i in range(evaluations):
        strip.add(10 * i, [LABELS[(i + j) % 4] for j in range(dimensions)])


def picture(strip: StateStrip) -> np.ndarray:
    png, width, height = strip.png()
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert image.size == (width, height)
    return np.array(image.convert("RGB"))


@given(st.integers(1, 1500))
def test_columns_are_bounded_even_and_end_with_the_newest(evaluations):
    strip = StateStrip([0])
    history(strip, evaluations, 1)
    steps, codes = strip.columns()
    assert len(steps) == codes.shape[1] <= MAX_COLUMNS + 1
    assert steps[0] == 0
    assert steps[-1] == 10 * (evaluations - 1)
    assert evaluations < 2 or len(steps) >= min(evaluations, MAX_COLUMNS // 2)
    apart = np.diff(steps)[:-1]
    assert len(set(apart.tolist())) <= 1
    assert [STATE_CODES[LABELS[step // 10 % 4]] for step in steps] == codes[0].tolist()


def test_only_the_rows_asked_for():
    strip = StateStrip([3, 0, 7])
    strip.add(5, [ACTIVE, PASSIVE, PASSIVE, MIXED, PASSIVE, PASSIVE, PASSIVE, UNDECIDED])
    steps, codes = strip.columns()
    assert steps == (5,)
    assert codes[:, 0].tolist() == [STATE_CODES[MIXED], STATE_CODES[ACTIVE], STATE_CODES[UNDECIDED]]


@pytest.mark.parametrize("step", [0, 5, 990, 5000, 9990, 20_000])
def test_rewound_to_a_step_it_goes_on_from_there(step):
    strip = StateStrip([0])
    history(strip, 1000, 1)
    kept = [column for column in strip.columns()[0] if column < step]
    strip.rewind(step)
    strip.add(step, [ACTIVE])
    steps, codes = strip.columns()
    assert steps[-1] == step
    assert codes[0, -1] == STATE_CODES[ACTIVE]
    # the newest is shown off the grid, and is not kept
    assert list(steps[:-1]) in (kept, kept[:-1])


@pytest.mark.parametrize(("dimensions", "evaluations"), [(1, 1), (10, 3), (10, 60), (64, 119), (128, 700)])
def test_every_cell_has_the_colour_of_its_state(dimensions, evaluations):
    strip = StateStrip(range(dimensions))
    history(strip, evaluations, dimensions)
    steps, codes = strip.columns()
    drawn = picture(strip)
    high = (drawn.shape[0] - MARGIN - FOOTER) // dimensions
    assert drawn.shape == (MARGIN + FOOTER + dimensions * high, GUTTER + WIDTH, 3)
    assert high >= 4
    colours = {STATE_CODES[label]: colour for label, colour in COLOURS.items()}
    for row, column in itertools.product(range(0, dimensions, 7), range(0, len(steps) - 1, 7)):
        middle = (steps[column] + steps[column + 1]) / 2
        y, x = MARGIN + row * high + high // 2, GUTTER + round(middle / steps[-1] * (WIDTH - 1))
        assert tuple(drawn[y, x]) == colours[codes[row, column]], (row, column)


def test_the_axis_is_that_of_the_steps_and_ends_with_the_newest():
    strip = StateStrip([0])
    for step, label in ((0, PASSIVE), (10, PASSIVE), (20, PASSIVE), (410, ACTIVE), (1000, MIXED)):
        strip.add(step, [label])
    row = picture(strip)[MARGIN + 3, GUTTER:]
    blue = np.flatnonzero((row == COLOURS[ACTIVE]).all(axis=1))
    assert blue[0] / WIDTH == pytest.approx(0.41, abs=0.01)
    assert tuple(row[-1]) == COLOURS[MIXED]
    assert tuple(row[0]) == COLOURS[PASSIVE]


def test_numbers_and_legend_are_lettered_and_nothing_is_cut_off():
    strip = StateStrip(range(128))
    history(strip, 500, 128)
    drawn = picture(strip)
    ink = (drawn == 64).all(axis=2)
    assert ink[:, : GUTTER - 4].any()
    assert ink[-FOOTER : -FOOTER + 16].any()
    assert ink[-FOOTER + 16 :].any()
    border = np.concatenate((drawn[0], drawn[-1], drawn[:, 0]))
    assert (border == 255).all()
    for label in Label:
        below = drawn[-FOOTER + 16 :].reshape(-1, 3)
        assert (below == COLOURS[label]).all(axis=1).any()


def test_the_frame_is_drawn_once(monkeypatch):
    strip = StateStrip(range(64))
    history(strip, 3, 64)
    first = strip.png()
    monkeypatch.setattr(state_strip.StateStrip, "_drawn_frame", lambda self: pytest.fail("drawn again"))
    assert strip.png() == first
    strip.add(1234, [PASSIVE] * 64)
    assert strip.png() != first


def test_colours_differ_in_lightness_too():
    # relative luminance of sRGB, as for the contrast of text (WCAG 2.1)
    linear = {
        label: [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(rgb) / 255]
        for label, rgb in COLOURS.items()
    }
    light = sorted(0.05 + float(np.dot(c, (0.2126, 0.7152, 0.0722))) for c in linear.values())
    assert all(b / a > 1.5 for a, b in itertools.pairwise(light))
