"""A look at some steps for the argument that says where sequences are padded, once their ends look like padding."""

from __future__ import annotations

import inspect
import weakref

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...discovery.evidence.later.padding import argument_of, line_of
from ...discovery.evidence.seen import GIVEN, Seen
from ...discovery.latent import Latent
from .look import Blocks, Look

MAX_STEPS = 8
"""Steps that are looked at."""


class MaskLook:
    """Look at one model; `latent` is the watched one, its modules are not used. `letters` are the axes of its rows."""

    def __init__(self, model: nn.Module, latent: Latent, letters: str) -> None:
        self._model, self._letters = weakref.ref(model), letters
        self._part = next(part for part in latent.parts if part.side != "spread")
        self._look = Look(model)
        self._look.given, self._look.reads_all, self._look.any_mode = latent, True, True
        self._blocks: Blocks | None = None
        self._steps = 0
        self.ended = False
        self.answer = ""
        """The line to write, with its reason; '' if no argument fits."""

    @property
    def seconds(self) -> float:
        """Time spent in the hooks since the last call."""
        nanoseconds, self._look.nanoseconds = self._look.nanoseconds, 0
        return nanoseconds * 1e-9

    def stop(self) -> None:
        """End the look and take all hooks off."""
        self.ended, self._look.given = True, None  # it may hold functions of the user
        self.pause()

    def pause(self) -> None:
        """Take the hooks off until the next step."""
        self._look.stop()

    def step(self) -> None:
        """Look at a step, or judge what one has shown."""
        model = self._model()
        self._steps += 1
        if model is None or runs_compiled_parts(model) or self._steps > MAX_STEPS:
            self.stop()
        elif self._blocks is None and not self._look.is_on:
            self._look.start()
        else:
            self._blocks = self._blocks or self._look.end_step()
            self.pause()
            if self._blocks is not None and self._blocks.ready():
                seen, self._blocks = self._blocks.take(), None
                self._judge(model, seen)

    def _judge(self, model: nn.Module, seen: list[Seen]) -> None:
        path = () if self._part.reader is None else (GIVEN, "mean")
        means = (one for one in seen if one.is_output and one.module == self._part.name and one.path == path)
        mean = next(means, None)
        match = None if mean is None else argument_of(seen, mean, self._letters)
        if match is None:
            return
        names = list(inspect.signature(model.get_submodule(match.module).forward).parameters)
        if isinstance(match.place, int) and match.place >= len(names):  # it is one of *args
            return
        name = names[match.place] if isinstance(match.place, int) else match.place
        owner = f"{match.module!r}" if match.module else "the model"
        self.answer = f"{name!r} of {owner} {match.words}. Write attach(model, {line_of(match, names)})"
        self.stop()
