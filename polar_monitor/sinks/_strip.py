"""The state strip: a picture of dimensions (rows) × evaluations (columns), one colour a state.

Bounded in time and memory whatever the length of the run: at most 120 columns are kept; when they are full every
second one is dropped and from then on only every 2nd, 4th, … evaluation is added. The newest is always shown.
Colours are Okabe and Ito's (2008), chosen so that they also differ in lightness: passive is dark, undecided is light.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..label import Label

CODES = {Label.PASSIVE: 0, Label.UNDECIDED: 1, Label.MIXED: 2, Label.ACTIVE: 3}
"""The number that stands for a state in plots."""
COLOURS = {
    Label.PASSIVE: (0, 0, 0),
    Label.UNDECIDED: (240, 228, 66),
    Label.MIXED: (230, 159, 0),
    Label.ACTIVE: (0, 114, 178),
}
"""Black, yellow, orange and blue of the palette, as RGB."""
ROWS, COLUMNS = 128, 120
GUTTER, WIDTH, FOOTER = 32, 480, 34
"""Pixels: left margin for the dimensions' numbers, the strip's width, the lower margin for steps and legend."""
PAPER, INK = 4, 5
"""Palette indices of the background and of the lettering."""


class Strip:
    """History of the states of `rows` (indices of latent dimensions, at most 128)."""

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows = tuple(rows)
        self._columns: list[tuple[int, bytes]] = []
        self._latest: tuple[int, bytes] | None = None
        self._stride, self._seen = 1, 0

    def add(self, step: int, labels: Sequence[Label]) -> None:
        """Take one evaluation's labels, of all D dimensions."""
        self._latest = (step, bytes(CODES[labels[j]] for j in self.rows))
        if self._seen % self._stride == 0:
            self._columns.append(self._latest)
        self._seen += 1
        if len(self._columns) > COLUMNS:
            del self._columns[1::2]
            self._stride *= 2

    def columns(self) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """Steps of the columns, and their codes of shape (rows, columns)."""
        kept = list(self._columns)
        if self._latest is not None and kept[-1] is not self._latest:
            kept.append(self._latest)
        codes = np.frombuffer(b"".join(c for _, c in kept), dtype=np.uint8)
        return tuple(step for step, _ in kept), codes.reshape(len(kept), len(self.rows)).T

    def cell(self) -> tuple[int, int]:
        """Width and height of one cell in pixels, at least 4 of each."""
        shown = max(len(self.columns()[0]), 1)
        return max(4, min(24, WIDTH // shown)), max(4, min(16, 320 // len(self.rows)))

    def png(self) -> tuple[bytes, int, int]:
        """The picture as PNG, its width (at most 512) and its height, in pixels."""
        from PIL import Image, ImageDraw, ImageFont

        steps, codes = self.columns()
        wide, high = self.cell()
        cells = np.repeat(np.repeat(codes, high, axis=0), wide, axis=1)
        if high >= 8:
            cells[high - 1 :: high] = PAPER
        picture = np.full((cells.shape[0] + FOOTER, GUTTER + WIDTH), PAPER, dtype=np.uint8)
        picture[: cells.shape[0], GUTTER : GUTTER + cells.shape[1]] = cells
        height, width = picture.shape
        image = Image.frombytes("P", (width, height), picture.tobytes())
        image.putpalette([*(part for label in CODES for part in COLOURS[label]), 255, 255, 255, 64, 64, 64])
        draw = ImageDraw.Draw(image)
        draw.fontmode = "1"
        font = ImageFont.load_default()
        every = next(k for k in (1, 2, 4, 8, 16) if k * high >= 10)
        for row in range(0, len(self.rows), every):
            draw.text((GUTTER - 5, row * high + high / 2), str(self.rows[row]), fill=INK, font=font, anchor="rm")
        under = cells.shape[0] + 8
        draw.text((GUTTER, under), f"step {steps[0]} to {steps[-1]}", fill=INK, font=font, anchor="lm")
        for place, label in enumerate((Label.ACTIVE, Label.MIXED, Label.UNDECIDED, Label.PASSIVE)):
            left = GUTTER + 90 * place
            draw.rectangle((left, under + 11, left + 10, under + 21), fill=CODES[label])
            draw.text((left + 15, under + 16), str(label), fill=INK, font=font, anchor="lm")
        out = io.BytesIO()
        image.save(out, format="PNG", bits=4)
        return out.getvalue(), width, height
