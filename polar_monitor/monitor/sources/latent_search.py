"""The latent that a monitor watches: named by the user or the model's modules, or decided by the first forwards."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from time import perf_counter

from torch import nn

from ..._torch_compat import runs_compiled_parts
from ...arrays.padding import warn_of_padding
from ...capture.output_rows import FullCodes
from ...capture.search.first_forwards import FirstForwards
from ...capture.search.given_batch import look_at
from ...capture.search.later_check import LaterCheck
from ...capture.search.look import MAX_CALLS_WITHOUT_STEP
from ...capture.search.outcome import Given, Outcome
from ...discovery import find
from ...discovery.latent import Latent
from ...discovery.mask import MaskReader
from ...discovery.request import LatentRequest
from ...errors import PolarMonitorError, warn
from ...schedule.optimizer_clock import OptimizerClock
from ..evaluation_loop import EvaluationLoop
from ..pipeline import ModePipeline
from .connection import connect
from .mask_search import MaskSearch
from .watched_decoder import WatchedDecoder


class LatentSearch:
    """Search of one monitor; `watch_another` refers weakly to what is called for each other latent.

    Raises PolarMonitorError for arguments that cannot be used, and for a model in which nothing can be a latent.
    """

    def __init__(
        self,
        loop: EvaluationLoop,
        model: nn.Module,
        request: LatentRequest,
        watch_another: Callable[[], Callable[[Latent], None] | None],
    ) -> None:
        self._weak_loop, self._model, self._watch_another = weakref.ref(loop), weakref.ref(model), watch_another
        self._request = request
        self.decoder: WatchedDecoder | None = None
        """The decoder of the latent, which gives the dimensions of a code their scale."""
        if request.decoder is not None:
            if loop.options.settings.resolution is not None:
                raise PolarMonitorError(
                    "resolution: expected None beside decoder=, which gives the scale: leave out one"
                )
            self.decoder = WatchedDecoder(request.decoder, model)
        self._mask = None if request.mask is None else MaskReader(request.mask, model)
        latent, question = find.find_or_ask(model, request)
        self._given = Given(latent, question, request.is_named, request.which == "all", request.is_read)
        self._outcome: Outcome | None = None
        self._latent = latent if self._given.is_watched else None
        if request.example is not None and not (request.is_decided or request.is_read):
            self._outcome = look_at(model, request.example).outcome(model, self._given)
            if self._outcome is not None and self._outcome.latent is not None:
                self._latent = find.prepared(self._outcome.latent, request)
        elif runs_compiled_parts(model):  # compiled code does not show its tensors
            self._latent = latent
        if self._latent is not None:
            loop.make_pipelines(self._latent.kind, self._latent.dimensions)
        self._forwards: FirstForwards | None = None
        self._later: LaterCheck | None = None
        self._masks: MaskSearch | None = None
        self._left: FirstForwards | None = None
        """A search that has ended; the hooks of one that a model was compiled with come off with the monitor."""
        self._clock: OptimizerClock | None = None
        self._seconds = 0.0
        """Time that the look at the first forwards has taken, in the hooks and between the steps."""
        self.why = ""
        """Text for `explain`: the latent and its reason."""

    def start(self) -> OptimizerClock:
        """Watch the latent that is known, look for what the data show, and return the running clock."""
        model, latent, request = self._model(), self._latent, self._request
        assert model is not None
        self._clock = clock = OptimizerClock(model, self._loop.tick, self._loop.failed)
        self.why = f"not decided yet, the first forwards will decide: {self._given.asked}"
        if latent is not None:
            self._take(latent)
        if self._outcome is not None:
            self._finish(self._outcome._replace(latent=None))
        elif not request.is_decided and not runs_compiled_parts(model):
            any_mode, flood = "train" not in self._loop.options.modes, partial(_warn_of_no_step, type(model).__name__)
            self._forwards = FirstForwards(model, self._given, any_mode, flood)
            self._loop.search = self
            weakref.finalize(self, self._forwards.remove).atexit = False  # modules may outlive the monitor
        self._request = LatentRequest(layout=request.layout, prior=request.prior)  # the rest may hold the model
        self._latent, self._given = None, Given(None)  # they hold modules, and functions of the user
        return clock

    @property
    def _loop(self) -> EvaluationLoop:
        """The loop that holds this search; it lives as long as the monitor."""
        loop = self._weak_loop()
        assert loop is not None
        return loop

    @property
    def is_open(self) -> bool:
        """True until the first forwards have decided."""
        return self._forwards is not None

    @property
    def cost(self) -> str:
        """Time that the search has taken, in words; '' before it has looked."""
        return f"the look at the first forwards took {1e3 * self._seconds:.0f} ms" if self._seconds else ""

    @property
    def due(self) -> int:
        """Step at which `step` has something to do."""
        return 0 if self._forwards or self._masks or self._later is None else self._later.due

    def step(self) -> None:
        """Judge what the latest training step has shown."""
        if self._masks is not None:
            self._masks.step(self._loop)
            self._masks = None if self._masks.ended else self._masks
        if self._forwards is not None:
            began = perf_counter()
            outcome = self._looked(self._forwards)
            hooks = self._forwards.seconds
            self._loop.schedule.governor.own += hooks
            self._seconds += perf_counter() - began + hooks
            if self._forwards.ended:
                self._left, self._forwards = self._forwards, None
            if outcome is not None:
                self._finish(outcome)
        elif self._later is not None and self._loop.schedule.steps >= self._later.due:
            warning = self._later.step(self._loop.schedule.steps)
            self._loop.schedule.governor.own += self._later.seconds
            if self._later.ended:
                self._later = None
            if warning:
                self.why = f"{self.why}; later: {warning}"
                warn(warning)
        self._loop.search = self if self._forwards or self._later or self._masks else None

    def pause(self) -> None:
        """Take the hooks of the search off until the next step."""
        for part in (self._forwards, self._later, self._masks):
            if part is not None:
                part.pause()

    def stop(self) -> None:
        """End the search and its later checks; the latent stays."""
        for part in (self._forwards, self._later, self._masks):
            if part is not None:
                part.stop()
        self._left = self._forwards or self._left
        self._forwards = self._later = self._masks = self._loop.search = None

    def end(self) -> None:
        """End the search with the monitor: no hook of it stays."""
        self.stop()
        if self._left is not None:
            self._left.remove()
        self._left = None
        if self.decoder is not None:
            self.decoder.release()

    def _looked(self, forwards: FirstForwards) -> Outcome | None:
        """Return the outcome of a step. A failure ends the search, not the monitor."""
        try:
            return forwards.step()
        except Exception as failure:
            forwards.stop()
            self._loop.failed(failure, fatal=False)
            what = "the latent stays" if self._loop.pipelines else "nothing is watched: name the latent"
            return Outcome(warning=f"the search of the latent in the first forwards failed; {what}. {self.why}")

    def _finish(self, outcome: Outcome) -> None:
        warning = outcome.warning
        try:
            if outcome.latent is not None:
                self._take(find.prepared(outcome.latent, self._request))
            for latent in outcome.others:
                if (watch := self._watch_another()) is not None:
                    watch(latent)
        except PolarMonitorError as failure:  # raised here, it would end the training
            warning = str(failure)
        if outcome.is_none and self._loop.hooks is not None:
            self._loop.hooks.off("ended")
            self._loop.pipelines.clear()
        model = self._model()
        if outcome.decoder and model is not None and self._wants_decoder:
            variance = outcome.data_variance or None
            self.decoder = WatchedDecoder(outcome.decoder, model, variance, given=False)
            self._share()
        if outcome.reading is not None and model is not None:
            self._later = LaterCheck(model, outcome.reading, self._loop.schedule.steps, outcome.asked)
            weakref.finalize(self, self._later.stop).atexit = False
            self._loop.search = self
        self.why = outcome.why or (warning if outcome.is_none else self.why)
        if warning:
            warn(warning)

    def _take(self, latent: Latent) -> None:
        """Watch a latent from now on."""
        model = self._model()
        if model is not None and self._clock is not None:
            self.why = latent.why
            connect(model, latent, self._loop, self._clock, self._mask)
            self._share()

    @property
    def _wants_decoder(self) -> bool:
        """True if nothing gives the dimensions of a code a scale."""
        return self.decoder is None and self._loop.options.settings.resolution is None

    def _share(self) -> None:
        """Let the pipelines use the decoder, and watch for what looks like padding."""
        for pipeline in self._loop.pipelines.values():
            pipeline.decoder = self.decoder
            if self.decoder is not None and pipeline.kind is None:
                pipeline.ring.full_codes = FullCodes()
            if self._mask is None:
                pipeline.padding.listener = partial(self._look_for_mask, weakref.ref(pipeline))

    def _look_for_mask(self, pipeline: weakref.ref[ModePipeline], seen: str) -> None:
        """Look for the argument that shows padding, as the ends of sequences look like it."""
        model, rows = self._model(), pipeline()
        if model is None or rows is None or self._loop.hooks is None or self._masks is not None:
            warn_of_padding(seen)
            return
        self._masks = MaskSearch(model, self._loop.hooks, seen, rows.ring.letters)
        self._loop.search = self


def _warn_of_no_step(model: str) -> None:
    warn(
        f"{MAX_CALLS_WITHOUT_STEP} forwards of {model} were seen, but no step of an optimiser that holds its "
        "parameters, so its latent is not decided and nothing is evaluated. If your loop updates them without "
        "torch.optim, or compiles the step, call monitor.step() after each update"
    )
