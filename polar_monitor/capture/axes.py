"""Axes of the tensors of one latent: given by the user, or decided when the first tensor of each form comes."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays.layout import axes_of, decided, dimensions_of

MAX_SHAPES = 8
"""Shapes that are kept to decide again."""


class Axes:
    """Layout of a latent that several modules may give, one for all of its tensors.

    `given` is the user's layout, which is final. Without it, `hint` is what the modules' layers suggest and `width` the
    number of dimensions that they give, if it is known.
    """

    def __init__(self, given: str | None = None, hint: str | None = None, width: int | None = None) -> None:
        self.given = given
        self._hint, self._width = hint, width
        self._known: dict[int, tuple[str, int, int]] = {}
        """Letters, the axis of the dimensions and their number, by the number of axes."""
        self._shapes: list[tuple[tuple[int, ...], int | None]] = []
        """Different shapes so far, and the number of the model's inputs."""

    def of(self, shape: Sequence[int], inputs: int | None = None) -> str:
        """Return the letters of a tensor, in an eager forward of so many inputs. Raises ValueError for no layout.

        A size that changes is none of the dimensions: then the layout is decided again.
        """
        known = self._known.get(len(shape))
        if known is not None and (self.given is not None or known[1] < 0 or shape[known[1]] == known[2]):
            return known[0]
        return self._decide(tuple(shape), inputs)

    def traced(self, axes: int) -> str:
        """Return the letters of a tensor in code that is being compiled, where no size may be looked at."""
        return axes_of(self._hint if self.given is None else self.given, axes)

    def _decide(self, shape: tuple[int, ...], inputs: int | None) -> str:
        if self.given is None and 0 in shape[1:]:  # which is refused, and no evidence
            return decided([shape], self._width, self._hint, [inputs])
        if self.given is None:
            self._shapes = [*self._shapes[1 - MAX_SHAPES :], (shape, inputs)]
            shapes, sizes = zip(*self._shapes, strict=True)
            letters = decided(shapes, self._width, self._hint, sizes)
        else:
            letters = axes_of(self.given, len(shape))
        axis = letters.index("d") if len(letters) > 2 else -1
        self._known[len(shape)] = letters, axis, dimensions_of(letters, shape)
        return letters
