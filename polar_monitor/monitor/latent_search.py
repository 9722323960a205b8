"""The latent that a monitor watches: named by the user or the model's modules, or decided by the first forwards."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

from torch import nn

from .._torch_compat import runs_compiled_parts
from ..capture.first_forwards import FirstForwards, Outcome
from ..capture.given_batch import look_at
from ..discovery import find
from ..discovery.evidence.latents import agrees, best_of, latent_of
from ..discovery.latent import Latent
from ..errors import PolarMonitorError, warn
from ..schedule.optimizer_clock import OptimizerClock
from .connection import connect
from .evaluation_loop import EvaluationLoop


class LatentSearch:
    """Search of one monitor; its arguments are those of `attach`.

    Raises PolarMonitorError for arguments that cannot be used, and for a model in which nothing can be a latent.
    """

    def __init__(
        self,
        loop: EvaluationLoop,
        model: nn.Module,
        named: tuple[Any, dict[str, Any], Any],
        layout: str | None,
        prior: Any,
        example: Any,
    ) -> None:
        self._loop, self._model = loop, weakref.ref(model)
        self._layout, self._prior = layout, prior
        self._latent, self._question = find.find_or_ask(model, *named)
        self._is_named = find.is_named(*named)
        self._is_decided = False
        if example is not None:
            self._look_at(model, example)
        if self._latent is not None:
            self._latent = self._prepared(self._latent)
            loop.make_pipelines(self._latent.kind, self._latent.dimensions)
        self._forwards: FirstForwards | None = None
        self._clock: OptimizerClock | None = None
        self.why = ""
        """Text for `explain`: the latent and its reason."""

    def _look_at(self, model: nn.Module, example: Any) -> None:
        """Take the latent that a batch shows, unless the user has named one or none is shown for certain."""
        given, findings = self._latent, look_at(model, example)
        if not findings.latents:
            return
        matching = [reading for reading in findings.latents if given is not None and agrees(given, reading)]
        if matching and given is not None:
            self._latent = replace(given, why=f"{given.why}; confirmed: {matching[0].evidence}")
        elif not self._is_named:
            self._latent = latent_of(model, best_of(findings.latents), findings.latents)
        self._is_decided = bool(matching) or not self._is_named

    def start(self) -> OptimizerClock:
        """Watch the latent that is known, look for what the data show, and return the running clock."""
        model, latent = self._model(), self._latent
        assert model is not None
        self._clock = clock = OptimizerClock(model, self._loop.tick, self._loop.failed)
        self.why = f"not decided yet, the first forwards will decide: {self._question}"
        if latent is not None:
            self._take(latent)
        if not self._is_decided and not runs_compiled_parts(model):  # compiled code does not show its tensors
            self._forwards = FirstForwards(model, latent, self._question, self._is_named)
            self._loop.search = self
        return clock

    def step(self) -> None:
        """Judge what the latest training step has shown."""
        forwards = self._forwards
        if forwards is None:
            return
        outcome = forwards.step()
        self._loop.schedule.governor.own += forwards.seconds
        if forwards.ended:
            self.stop()
        if outcome is not None:
            self._finish(outcome)

    def pause(self) -> None:
        """Take the hooks of the search off until the next step."""
        if self._forwards is not None:
            self._forwards.pause()

    def stop(self) -> None:
        """End the search; the latent stays."""
        if self._forwards is not None:
            self._forwards.stop()
        self._forwards = self._loop.search = None

    def _finish(self, outcome: Outcome) -> None:
        warning, latent = outcome.warning, outcome.latent
        if latent is not None:
            try:
                self._take(self._prepared(latent))
            except PolarMonitorError as failure:  # raised here, it would end the training
                warning = str(failure)
        self.why = outcome.why or self.why
        if warning:
            warn(warning)

    def _take(self, latent: Latent) -> None:
        """Watch a latent from now on."""
        model = self._model()
        if model is not None and self._clock is not None:
            self.why = latent.why
            connect(model, latent, self._loop, self._clock)

    def _prepared(self, latent: Latent) -> Latent:
        """Return a latent in the layout and in units of the prior that the user gave."""
        latent = find.in_layout(latent, self._layout)
        return latent if self._prior is None else find.in_units_of_prior(latent, self._prior)
