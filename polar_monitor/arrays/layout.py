"""Layouts: which axis of a latent holds the inputs, which its dimensions, and which the places of an input.

A layout has a letter for each axis, as in "ntd": n for the inputs, d for the dimensions, any other letter for places,
such as the steps of a sequence. "..." stands for any number of axes of places: "nd..." is that of a convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import PolarMonitorError

ANY = "..."
CHANNELS_FIRST, CHANNELS_LAST, STEPS_FIRST = "nd...", "n...d", "...nd"
"""Layouts of convolutions, of linear layers, and of PyTorch's recurrent layers by default."""
PLACES = ("", "t", "hw", "thw", "sthw", "rsthw", "qrsthw")
"""Letters of places, by their number."""
WORDS = {"n": "inputs", "d": "dimensions"}
"""Words for letters; any other one is an axis of places."""
REMEDY = 'write layout="nd", "ntd", "tnd", "ndt", "ndhw" or the like'


def checked_layout(layout: Any) -> str | None:
    """Return a layout in small letters; None stays. Raises PolarMonitorError for one that cannot be used.

    Example:
        >>> checked_layout("NDHW")
        'ndhw'
    """
    if layout is None:
        return None
    if not isinstance(layout, str):
        raise PolarMonitorError(f"layout: expected a string of axes, got {type(layout).__name__}: {REMEDY}")
    lower = layout.lower()
    letters = lower.replace(ANY, "", 1)
    once = len(set(letters)) == len(letters)
    if not letters.isalpha() or not letters.isascii() or not once or not {"n", "d"} <= set(letters):
        raise PolarMonitorError(
            "layout: expected a letter for each axis, n for the inputs, d for the dimensions and another one for each "
            f"axis of places, got {layout!r}: {REMEDY}"
        )
    return lower


def axes_of(layout: str | None, axes: int) -> str:
    """Return the letters of a latent with so many axes. Raises ValueError if the layout has another number.

    None is that of rows (n, D), of sequences (n, T, D), and of images or clips with their channels second.

    Example:
        >>> axes_of("nd...", 4), axes_of(None, 3), axes_of("...nd", 2)
        ('ndhw', 'ntd', 'nd')
    """
    if axes == 1 and (layout is None or ANY in layout):
        return "n"
    if layout is None:
        layout = CHANNELS_FIRST if axes > 3 else CHANNELS_LAST
    if ANY in layout:
        missing = axes - len(layout) + len(ANY)
        if 0 <= missing < len(PLACES):
            layout = layout.replace(ANY, PLACES[missing])
    if len(layout) != axes:
        raise ValueError(f"layout: expected {len(layout)} axes, as in {layout!r}, got {axes}: {REMEDY}")
    return layout


def dimensions_of(letters: str, shape: Sequence[int]) -> int:
    """Return the number of dimensions of a latent of this shape; a vector (n,) is one."""
    return int(shape[letters.index("d")]) if "d" in letters else 1


def described(letters: str, shape: Sequence[int] | None, dimensions: int = 0) -> str:
    """Describe how a latent is read; where its shape is not known, with the number of its dimensions.

    Example:
        >>> described("ndt", (16, 3, 40))
        'D = 3 from (16, 3, 40): inputs × dimensions × places'
    """
    words = " × ".join(WORDS.get(letter, "places") for letter in letters)
    if shape is None:
        return f"D = {dimensions}: {words}"
    return f"D = {dimensions_of(letters, shape)} from {tuple(shape)}: {words}"


def decided(
    shapes: Sequence[Sequence[int]],
    width: int | None = None,
    hint: str | None = None,
    batch_sizes: Sequence[int | None] = (),
) -> str:
    """Return the letters of a latent from the shapes that it had in some calls, as far as they can be known.

    `width` is the number of dimensions that its layers give, `hint` the layout that their types suggest, `batch_sizes`
    the number of the model's inputs in each of these calls, None where it is not known. In this order: a size that
    varies is none of the dimensions; a size that equals the width is; the inputs are as many as the model's; the hint.

    Example:
        >>> decided([(16, 3, 40), (16, 3, 25)])
        'ndt'
        >>> decided([(40, 16, 3)], width=3, batch_sizes=[16])
        'tnd'
    """
    axes = len(shapes[-1])
    preferred = axes_of(hint, axes)
    if axes < 3:
        return preferred
    sizes = list(batch_sizes) or [None] * len(shapes)
    seen = [(shape, size) for shape, size in zip(shapes, sizes, strict=True) if len(shape) == axes]
    last = seen[-1][0]
    choices = list(dict.fromkeys([preferred, *_usual(axes)]))
    choices = [one for one in choices if len({shape[one.index("d")] for shape, _ in seen}) == 1] or choices
    choices = [one for one in choices if last[one.index("d")] == width] or choices
    choices = [one for one in choices if all(size in (None, s[one.index("n")]) for s, size in seen)] or choices
    return choices[0]


def _usual(axes: int) -> list[str]:
    """Return the layouts that latents of so many axes have, the usual ones first."""
    last, second, steps = (axes_of(form, axes) for form in (CHANNELS_LAST, CHANNELS_FIRST, STEPS_FIRST))
    places = PLACES[axes - 2]
    inner = f"{places[:1]}nd{places[1:]}"
    return [last, second, steps] if axes == 3 else [second, last, inner, f"{places[:1]}n{places[1:]}d", steps]
