"""`PolarMonitor`: the class that users meet. It connects the latent, the evaluation loop and the outputs."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, overload

from torch import nn

from ..alerts.alert import Alert
from ..alerts.alert_rules import AlertRules
from ..alerts.custom_rule import Rule
from ..arrays.layout import checked_layout
from ..discovery.latent import Latent
from ..discovery.request import LatentRequest
from ..discovery.unwrap import unwrap
from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from ..intervention.replacements import WORDS
from ..intervention.worth import Worth
from ..regime.regime import Regime
from ..schedule.missing_steps import weak_reference
from ..schedule.optimizer_clock import OptimizerClock
from ..sinks import Sink
from . import checkpoint
from .evaluation_loop import EvaluationLoop
from .options import checked
from .outputs import Outputs, close_in
from .results import Results
from .sources.call_in_loop import in_the_loop
from .sources.connection import forget, judge_batch, keep, warn_of_replacement, without_hooks
from .sources.latent_search import LatentSearch
from .sources.observe import read_rows
from .sources.probe import probe_batch


class PolarMonitor(Results):
    """Monitor of one latent of one model. `polar_monitor.attach(model, …)` makes one and attaches it.

    Args:
        mean: The module that gives the posterior mean (or the code of an autoencoder): its name or itself. Or a
            callable on the output of `latent`, or of the model without `latent`. Or a module and a function of its
            output, where the model processes it further: ("fc_mu", lambda out: 3 * out.tanh()). None: discovered.
        logvar: The same for the posterior's log-variance. At most one of `logvar`, `var`, `std` and `logstd`.
        var: The same for the posterior's variance.
        std: The same for the posterior's standard deviation.
        logstd: The same for its logarithm, log σ.
        latent: One module whose output contains both: a distribution, named fields, (mean, log-variance), or one tensor
            whose halves are mean and log-variance.
        example: A batch of the model's inputs, as for `evaluate(batch)`: the model runs on it at once, as it is, to see
            which tensors are the latent. None: the first forwards of the training show it. Needed if the model is
            compiled and its names leave a choice.
        latents: "main": the latent that is decoded to the data; of several, the one with most dimensions, then the
            nearest to the decoder. "all": every latent that the forwards show gets a monitor of its own, in
            `monitor.latents`, for hierarchical models.
        layout: Axes of the latent's tensors, a letter each: n for the inputs, d for the dimensions, others for places,
            as in "ntd", "tnd" or "nhwd"; "..." stands for any number of places. None: as the types of the layers, the
            widths and the sizes of the first batches say; `explain` says how it is read.
        mask: Where the latent has padding: the name of an argument of the model's forward ("mask"), or of a module's
            ("encoder.mask"), that is True (or 1) at real data and has the latent's axes without its dimensions, as
            (n, T) beside (n, T, D); or (n,). Or such a name and a function of its value: ("pad", lambda pad: ~pad).
            Or a callable on all arguments of the model's forward. Padding becomes no row. It is read in eager forwards;
            compiled ones are not recorded then.
        prior: (mean, variance), numbers or arrays (D,); None is N(0, 1). It changes `kl` only. Or, for a conditional
            prior, a callable on the output that contains the latent: it returns (mean, variance) of each row or a
            distribution, the rows are standardised by it, and the labels describe what goes beyond the prior. Every
            recorded forward calls it, so it should read the output or compute on it; it must not draw random numbers
            or change anything.
        resolution: Without a variance, the noise τ that limits the resolution of the mean, in its units: it gives the
            labels of an autoencoder a scale. None is a tenth of the scale of a typical dimension, as the decoder sees
            it if that is known.
        decoder: The decoder that takes the latent: a module, its name, or a callable code → output. Without a
            variance, what it does with each dimension gives the labels their scale; it runs at full evaluations, in
            eval mode, and the training does not notice. None: found where the first forwards show it.
        log_dir: Folder for TensorBoard and JSONL; None is the folder of `SummaryWriter`.
        sinks: Objects that get the evaluations. None: TensorBoard and JSONL. If given, these two are added only with a
            `log_dir`.
        console: True adds a live view of the dimensions on a terminal (extra `console`), and plain lines elsewhere.
        criterion: "information", or the name of a published criterion that decides the labels instead.
        every: Optimiser steps between evaluations. None: about steps 10, 13, 17, 22, 29 and so on, then every 50 steps
            or 0.3 s, and more rarely in long runs, above all while nothing changes. The monitor stretches either to
            keep to `max_overhead`.
        window: Rows that the statistics use.
        max_overhead: Largest share of the loop's time for the monitor, from 0 to 1; 1 leaves the interval as it is.
        start_allowance: Seconds, in all, that the monitor may take beyond that share, so that it sees the beginning.
        log_every: Largest interval in steps, however quiet the run is, for the automatic rule; a long run's log may
            become large. None bounds it: a week writes at most 200 MB for 128 dimensions.
        warmup: Steps during which only NON_FINITE and SILENT are raised.
        alerts: Rules that say when to alert.
        extra_rules: Rules of third parties beside the built-in ones: names of entry points (`polar-monitor replay
            --list-rules`), or rules themselves; see `polar_monitor.rules`.
        on_alert: Function that is called with the first alert of every event, and each LOST, on the training thread.
        name: Name of this latent in tags and logs, for a model with several.
        modes: Modes to watch, "train" and/or "eval" (see `module.training`); each has its own statistics.
        strict: True raises the monitor's own errors instead of logging them; for tests.

    Raises:
        PolarMonitorError: An argument cannot be used, or a folder cannot be written to.

    Example:
        >>> import torch, polar_monitor
        >>> monitor = polar_monitor.PolarMonitor(every=1, sinks=())
        >>> for _ in range(3):
        ...     monitor.observe(torch.randn(512, 2), logvar=torch.zeros(512, 2))
        ...     monitor.step()
        >>> _ = monitor.evaluate()
        >>> monitor.snapshot().rows
        1536
    """

    def __init__(
        self,
        *,
        mean: Any = None,
        logvar: Any = None,
        var: Any = None,
        std: Any = None,
        logstd: Any = None,
        latent: Any = None,
        example: Any = None,
        latents: str = "main",
        layout: str | None = None,
        mask: Any = None,
        prior: Any = None,
        resolution: float | None = None,
        decoder: Any = None,
        log_dir: str | os.PathLike[str] | None = None,
        sinks: Sequence[Sink] | None = None,
        console: bool = False,
        criterion: str = "information",
        every: int | None = None,
        window: int = 4096,
        max_overhead: float = 0.01,
        start_allowance: float = 1.0,
        log_every: int | None = None,
        warmup: int = 0,
        alerts: AlertRules | None = None,
        extra_rules: Sequence[str | Rule] = (),
        on_alert: Callable[[Alert], None] | None = None,
        name: str | None = None,
        modes: Sequence[str] = ("train",),
        strict: bool = False,
    ) -> None:
        self._arguments = {key: value for key, value in locals().items() if key != "self" and latents == "all"}
        options = checked(
            prior=prior, resolution=resolution, criterion=criterion, every=every, window=window, warmup=warmup,
            max_overhead=max_overhead, start_allowance=start_allowance, log_every=log_every, alerts=alerts,
            extra_rules=extra_rules, on_alert=on_alert, name=name, modes=modes, strict=strict,
        )  # fmt: skip
        self.name = options.name
        spreads = {"logvar": logvar, "var": var, "std": std, "logstd": logstd}
        row_prior = prior if callable(prior) else None
        self._request = LatentRequest(
            mean, spreads, latent, checked_layout(layout), mask, row_prior, example, decoder, latents
        )
        self._standardised = None if row_prior is None else True
        """True if each row is standardised by its prior, False if none is; None before the first."""
        self._outputs = Outputs(log_dir, sinks, console=console, name=options.name, strict=options.strict)
        self._loop = EvaluationLoop(options, self._outputs.group, self._disable)
        self._clock: OptimizerClock | None = None
        self._by_hand = False
        self._model: weakref.ref[nn.Module] | None = None
        self._search: LatentSearch | None = None
        self.latents: dict[str, PolarMonitor] = {}
        self._finalizer = weakref.finalize(self, close_in, os.getpid(), self._outputs.group)

    # -- attach and detach ------------------------------------------------------------------------------------------

    def attach(self, model: nn.Module, *, replacing: PolarMonitor | None = None) -> PolarMonitor:
        """Find the latent of `model`, put hooks on it and start; returns itself. See `polar_monitor.attach`.

        The model keeps the monitor alive until `detach`.
        `replacing` is detached as soon as nothing can fail any more, with a warning if it was attached.
        """
        if self._search is not None:
            raise PolarMonitorError("this monitor is attached already: make another one for another model or latent")
        model = unwrap(model)
        search = LatentSearch(self._loop, model, self._request, weak_reference(self._watch_another))
        self._standardised = self._request.prior is not None
        self._request = LatentRequest(layout=self._request.layout)  # the rest may hold the model
        self._open(replacing)
        if replacing is not None:
            if replacing.attached:
                warn_of_replacement(self.name)
            replacing.detach()
        self._search, self._model = search, weakref.ref(model)
        self._clock = search.start()
        keep(model, self.name, self)
        return self

    def _watch_another(self, latent: Latent) -> None:
        """Watch another latent of the same model with a monitor of its own, if the user wants all."""
        model = None if self._model is None else self._model()
        if not self._arguments or model is None:
            return
        name = ".".join(filter(None, (self.name, latent.parts[0].name.replace("/", ".") or "output")))
        name = f"{name}.{len(self.latents) + 1}" if name in self.latents else name
        folder = self.log_dir
        own = dict.fromkeys(("mean", "logvar", "var", "std", "logstd", "example", "prior")) | {"latents": "main"}
        own |= {"latent": latent, "name": name, "log_dir": folder, "sinks": None if folder else (), "console": False}
        self.latents[name] = PolarMonitor(**{**self._arguments, **own}).attach(model)

    def _open(self, replacing: PolarMonitor | None = None) -> None:
        self._outputs.open(self, replacing, self._loop.options.settings.setup())

    def detached(self) -> AbstractContextManager[None]:
        """Context without hooks, for `torch.jit.script` and other tools that refuse them. No step is counted in it.

        A nested one ends with the outer one.
        """
        return without_hooks(self._loop)

    @property
    def attached(self) -> bool:
        """True while the monitor watches a model."""
        hooks, model = self._loop.hooks, None if self._model is None else self._model()
        return model is not None and not self._loop.ended and (hooks is None or not hooks.ended)

    def _disable(self) -> None:
        if self._loop.hooks is not None:
            self._loop.hooks.off("ended")
        if self._clock is not None:
            self._clock.stop()
        if self._search is not None:
            self._search.end()

    def detach(self) -> None:
        """Evaluate what no evaluation has had yet, remove all hooks and close the sinks; results stay readable.

        The sinks, the alerts and the callback get that last evaluation. Then the callback, the rules and the sinks are
        dropped, since they may hold the model; `observe` and `step` do nothing any more, nor does a second call.
        """
        for other in self.latents.values():
            other.detach()
        if self.attached:
            self._loop.diagnostics.warn_of_no_validation()
            self._loop.warn_at_end()
        try:
            self._loop.end()
        finally:
            self._outputs.group.close()
            self._finalizer.detach()
            self._outputs.release()
            self._loop.release_user_objects()
            forget(self._model, self)

    def __deepcopy__(self, memo: dict[int, Any]) -> PolarMonitor:
        return unattached_monitor()

    def __reduce__(self) -> tuple[Callable[[], PolarMonitor], tuple[()]]:
        return unattached_monitor, ()

    def __enter__(self) -> PolarMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    # -- steps and rows by hand -------------------------------------------------------------------------------------

    def step(self) -> None:
        """Count one step by hand; from the first call on, the steps of optimisers are ignored."""
        if not self._by_hand:
            self._by_hand = True
            if self._clock is not None:
                self._clock.stop()
        self._loop.tick()

    @overload
    def evaluate(self) -> tuple[Evaluation, ...]: ...
    @overload
    def evaluate(self, batch: Any) -> Regime: ...
    def evaluate(self, batch: Any = None) -> tuple[Evaluation, ...] | Regime:
        """Return one evaluation for each mode that has had rows or, with a batch, the labels of that batch.

        Without a batch, rows that no evaluation has had yet are evaluated now, outside the schedule. A mode without any
        gives its latest evaluation again: `observed` is 0, `age` says how many steps old its newest row is, and sinks
        and alert rules do not get it. Hooks that pause are put back, and a call some steps later has new rows. It waits
        for copies from the device that are under way.

        With a batch (a tensor, a tuple of arguments or a dict of keyword arguments, on the model's device) the model
        runs on it, in eval mode and without gradient. The regime is that of `polar_monitor.classify` on these latents,
        at the present step. The training does not notice: training flags, buffers and random numbers are put back, and
        the window, the alert rules and the sinks get no row. What the model raises is raised, and PolarMonitorError if
        its forward gives no latent.

        Example:
            >>> import torch, polar_monitor
            >>> class Vae(torch.nn.Module):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.fc_mu, self.fc_logvar = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
            ...     def forward(self, x):
            ...         return self.fc_mu(x), self.fc_logvar(x)
            >>> model = Vae()
            >>> monitor = polar_monitor.attach(model, sinks=())
            >>> monitor.evaluate()
            ()
            >>> len(monitor.evaluate(torch.randn(1000, 2)).labels)
            2
        """
        if batch is None:
            return self._loop.evaluate()
        return judge_batch(self._loop, self._model, batch)

    def probe(
        self, batch: Any, *, loss: Any = None, replace: Sequence[str] = tuple(WORDS), unit: str = "nats", seed: int = 0
    ) -> Worth:
        """Return what each dimension is worth in the loss of a batch: its rise when the dimension is replaced.

        `polar_monitor.ablate` has the arguments, and says what the model goes through; the training stays as it is, bit
        for bit. `summary()` and `explain(j)` show the latest result, and the next
        evaluation carries it to the sinks. Raises what the model and the loss raise, and PolarMonitorError for a batch
        or a loss that cannot be used.
        """
        return probe_batch(self._loop, self._model, batch, loss, replace, unit, seed)

    @in_the_loop(keep=False)
    def observe(
        self, mean: Any, *, logvar: Any = None, var: Any = None, std: Any = None, logstd: Any = None, prior: Any = None,
        layout: str | None = None, mask: Any = None, mode: str = "train",
    ) -> None:  # fmt: skip
        """Record latents by hand: (n, D) or spatial tensors or arrays, with at most one spread of the same shape.

        Without a `layout`, here or of the monitor, they are (n, D), (n, T, D) or (n, C, H, W). `mask` is True at real
        data, and False at padding, which is left out: (n, T) for (n, T, D), or (n,).
        `prior`, of each row, standardises them: a distribution, or (mean, variance), each of the shape of `mean`, (D,)
        or a number. Rows count towards the evaluation at the next step. After `detach` it does nothing.
        Raises PolarMonitorError for bad arguments, until some rows were recorded or a step was counted: later, in the
        middle of a training, it logs the error once, and `health()` counts it and the rows.
        """
        self._observe(mean, {"logvar": logvar, "var": var, "std": std, "logstd": logstd}, prior, layout, mask, mode)

    def _observe(
        self, mean: Any, spreads: dict[str, Any], prior: Any, layout: str | None, mask: Any, mode: str
    ) -> None:
        loop = self._loop
        rows = read_rows(mean, spreads, layout or self._request.layout, mask, mode=mode, modes=loop.options.modes)
        if not loop.pipelines:
            self._open()
            loop.make_pipelines(rows.kind, None)
            self._observed = f"latents from observe(mean{f', {rows.kind}=…' if rows.kind else ''})"
        rows = rows.prepared(loop.pipelines[mode], prior, self._standardised)
        self._standardised = prior is not None
        rows.record(loop.pipelines[mode])

    @in_the_loop(keep=True)
    def log(
        self, *, beta: Any = None, learning_rate: Any = None, reconstruction: Any = None, baseline: Any = None
    ) -> None:
        """Log numbers of the loop: alerts then name their cause more closely, and forecasts follow β and the rate.

        Args:
            beta: Weight of the KL term, whenever it changes.
            learning_rate: Learning rate, whenever it changes.
            reconstruction: Reconstruction term as it enters the loss, at every step. A tensor on a device is added up
                there; nothing waits for it.
            baseline: The same term of a model that knows nothing of its input, once, such as the variance of the data
                for a squared error. For a code whose decoder is not known it shows whether the code explains anything.

        Each is a number or a tensor with one number; NaN and infinity are ignored. Raises PolarMonitorError for
        anything else before the first step, and TypeError for another name; later it logs the error once.

        Example:
            >>> import polar_monitor
            >>> monitor = polar_monitor.PolarMonitor(sinks=())
            >>> monitor.log(beta=0.5, learning_rate=1e-3, reconstruction=73.2)
        """
        self._loop.training_context.add(beta, learning_rate, reconstruction, baseline)

    # -- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything with which a resumed run equals the uninterrupted one: tensors and plain data only.

        `torch.save` it beside the model's. Rows that wait for the next evaluation are taken in first.
        """
        return checkpoint.save(self._loop)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`. Raises PolarMonitorError, and changes nothing, if it does not fit."""
        self._open()
        checkpoint.load(self._loop, state)


def unattached_monitor() -> PolarMonitor:
    """Return the monitor of a copied or pickled model: one that watches nothing. Pickles contain this name."""
    return PolarMonitor(sinks=())
