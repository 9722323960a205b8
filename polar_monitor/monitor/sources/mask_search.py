"""The search of the argument that says where sequences are padded, and the warning that it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ...arrays.padding import warn_of_padding
from ...capture.hooks import HookSet
from ...capture.search.mask_look import MaskLook
from ...discovery.latent import Latent, Part

if TYPE_CHECKING:
    from ..evaluation_loop import EvaluationLoop

NO_MODULE = nn.Identity()


class MaskSearch:
    """Search for one monitor; `seen` are words for what looks like padding, `letters` the axes of the latent."""

    def __init__(self, model: nn.Module, hooks: HookSet, seen: str, letters: str) -> None:
        names = {id(module): name for name, module in model.named_modules(remove_duplicate=False)}
        parts = [
            Part(NO_MODULE, names.get(id(module), ""), reader, side) for module, reader, side, _ in hooks.parts()
        ]  # without the modules: the model keeps its monitors, and would never be freed
        self._look = MaskLook(model, Latent(tuple(parts), None, None, None, ""), letters)
        self._seen = seen

    @property
    def ended(self) -> bool:
        """True once the warning has come."""
        return self._look.ended

    def step(self, loop: EvaluationLoop) -> None:
        """Look at a step. A failure ends the search."""
        try:
            self._look.step()
        except Exception as failure:
            self._look.stop()
            loop.failed(failure, fatal=False)
        loop.schedule.governor.own += self._look.seconds
        if self._look.ended:
            warn_of_padding(self._seen, self._look.answer)

    def pause(self) -> None:
        """Take the hooks off until the next step."""
        self._look.pause()

    def stop(self) -> None:
        """End the search before it has found anything: the warning comes without a line to write."""
        if not self._look.ended:
            self._look.stop()
            warn_of_padding(self._seen)
