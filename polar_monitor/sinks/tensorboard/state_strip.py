"""The state strip: a picture of dimensions (rows) × evaluations (columns), one colour for each state.

Time and memory do not grow with the run: the strip keeps at most 120 columns. When they are full, it drops every second
one, and from then on adds only every 2nd, 4th, … evaluation. The newest is always shown. Colours are Okabe and Ito's
(2008), which also differ in lightness, on light grey for passive: what does not matter does not stand out.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...regime.label import Label
from ..scalars import STATE_CODES, STATE_OF_LETTER

Image.preinit()  # else the first picture would load the formats' drivers, in a training step

COLOURS = {
    Label.PASSIVE: (222, 222, 222),
    Label.UNDECIDED: (230, 159, 0),
    Label.MIXED: (0, 158, 115),
    Label.ACTIVE: (0, 114, 178),
}
"""Light grey for what does not matter, and orange, bluish green and blue of the palette, as RGB."""
MAX_ROWS, MAX_COLUMNS = 128, 120
MARGIN, GUTTER, WIDTH, FOOTER = 6, 32, 312, 38
"""Pixels: above the strip, left of it for the dimensions' numbers, its width, below it for the steps and the legend.

The picture is no wider than TensorBoard's cards, which would shrink the lettering.
"""
PNG_LEVEL = 1
"""Effort of the compression: the usual one takes up to three times as long for a file that is a sixth smaller."""
PAPER, INK = 4, 5
"""Palette indices of the background and of the lettering."""


@functools.lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, which it decodes again at every request."""
    return ImageFont.load_default()


class StateStrip:
    """History of the states of `rows` (indices of latent dimensions, at most 128), drawn as a picture."""

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows = tuple(rows)
        self._columns: list[tuple[int, bytes]] = []
        self._latest: tuple[int, bytes] | None = None
        self._stride, self._seen = 1, 0
        self._frame: Image.Image | None = None

    def add(self, step: int, labels: Sequence[Label]) -> None:
        """Add one evaluation's labels, one for each of all D dimensions."""
        self._latest = (step, bytes([STATE_OF_LETTER[labels[j][0]] for j in self.rows]))
        if self._seen % self._stride == 0:
            self._columns.append(self._latest)
        self._seen += 1
        if len(self._columns) > MAX_COLUMNS:
            del self._columns[1::2]
            self._stride *= 2

    def follow(self, rows: Sequence[int]) -> None:
        """Draw other rows. One that was not drawn before begins with the next evaluation; white is before."""
        rows = tuple(rows[:MAX_ROWS])
        if rows == self.rows:
            return
        places = {j: place for place, j in enumerate(self.rows)}

        def moved(column: tuple[int, bytes]) -> tuple[int, bytes]:
            step, codes = column
            return step, bytes([codes[places[j]] if j in places else PAPER for j in rows])

        newest_is_kept = bool(self._columns) and self._columns[-1] is self._latest
        self._columns = [moved(column) for column in self._columns]
        if self._latest is not None:
            self._latest = self._columns[-1] if newest_is_kept else moved(self._latest)
        self.rows, self._frame = rows, None

    def columns(self) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
        """Return the steps of the columns, and their codes of shape (rows, columns)."""
        kept = list(self._columns)
        if self._latest is not None and kept[-1] is not self._latest:
            kept.append(self._latest)
        codes = np.frombuffer(b"".join(c for _, c in kept), dtype=np.uint8)
        return tuple(step for step, _ in kept), codes.reshape(len(kept), len(self.rows)).T

    def rewind(self, step: int) -> None:
        """Forget the columns of `step` and later."""
        self._columns = [column for column in self._columns if column[0] < step]
        self._latest = self._columns[-1] if self._columns else None
        self._seen = len(self._columns) * self._stride

    def png(self) -> tuple[bytes, int, int]:
        """Return the picture as PNG, its width and its height in pixels.

        The axis is that of the steps: an evaluation reaches from its step to that of the next one.
        """
        if self._frame is None:
            self._frame = self._drawn_frame()
        steps, codes = self.columns()
        high = self._row_height()
        places = steps[0] + np.arange(WIDTH) * ((steps[-1] - steps[0]) / (WIDTH - 1))
        across = np.maximum(np.searchsorted(steps, places, side="right") - 1, 0)
        across[-1] = len(steps) - 1
        cells = np.repeat(codes[:, across], high, axis=0)
        if high >= 8:
            cells[high - 1 :: high] = PAPER
        image = self._frame.copy()
        image.paste(Image.frombytes("P", (WIDTH, cells.shape[0]), cells.tobytes()), (GUTTER, MARGIN))
        draw = ImageDraw.Draw(image)
        draw.fontmode, font = "1", _font()
        under = MARGIN + cells.shape[0] + 8
        draw.text((GUTTER, under), f"step {steps[0]}", fill=INK, font=font, anchor="lm")
        if len(steps) > 1:
            draw.text((GUTTER + WIDTH - 1, under), f"step {steps[-1]}", fill=INK, font=font, anchor="rm")
        out = io.BytesIO()
        image.save(out, format="PNG", bits=4, compress_level=PNG_LEVEL)
        return out.getvalue(), image.width, image.height

    def _row_height(self) -> int:
        return max(4, min(16, 320 // len(self.rows)))

    def _drawn_frame(self) -> Image.Image:
        """Draw the part that all pictures share: the dimensions' numbers and the legend."""
        high = self._row_height()
        below = MARGIN + len(self.rows) * high
        image = Image.new("P", (GUTTER + WIDTH, below + FOOTER), PAPER)
        image.putpalette([*(part for label in STATE_CODES for part in COLOURS[label]), 255, 255, 255, 64, 64, 64])
        draw = ImageDraw.Draw(image)
        draw.fontmode, font = "1", _font()
        every = next(k for k in (1, 2, 4, 8) if k * high >= 12)
        for row in range(0, len(self.rows), every):
            place = GUTTER - 5, MARGIN + row * high + high // 2
            draw.text(place, str(self.rows[row]), fill=INK, font=font, anchor="rm")
        for i, label in enumerate((Label.ACTIVE, Label.MIXED, Label.UNDECIDED, Label.PASSIVE)):
            left, top = GUTTER + WIDTH // 4 * i, below + 22
            draw.rectangle((left, top, left + 10, top + 10), fill=STATE_CODES[label])
            draw.text((left + 15, top + 5), str(label), fill=INK, font=font, anchor="lm")
        return image
