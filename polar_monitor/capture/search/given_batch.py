"""Search of the latent in forwards of a batch that the user gives, before or beside the training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ...discovery.evidence.codes import Code, CodeJudge
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import line_of, name_hint
from ...discovery.evidence.reading import Reading
from ...discovery.evidence.seen import Seen
from ...discovery.unwrap import unwrap
from ..undisturbed import call, undisturbed
from .calls import calls_of
from .look import Look
from .open_levels import open_readings, warning_of
from .outcome import Given, Outcome, code_outcome, outcome_of

MAX_FORWARDS = 8
"""Forwards of the batch, each with other random numbers, in which a latent must be found."""


@dataclass(frozen=True)
class Findings:
    """Latents that the forwards of a batch show; its text has the evidence and the line for each."""

    latents: tuple[Reading, ...]
    """The latents, the one nearest to the decoder last."""
    candidates: tuple[Reading, ...] = ()
    """Readings that the forwards leave open, the most likely first; beside latents those that may be others."""
    code: Code | None = None
    """The code of an autoencoder, if there is no latent with a sample."""
    reason: str = ""
    """Words for why there is neither."""

    def outcome(self, model: nn.Module, given: Given) -> Outcome | None:
        """Return what they mean for the latent that names or arguments gave."""
        if self.code is not None:
            return code_outcome(model, self.code, given)
        outcome = outcome_of(model, self.latents, given)
        if outcome is None or not (given.wants_all and self.candidates):
            return outcome
        text = warning_of(self.candidates, (), f"after {MAX_FORWARDS} forwards of the example", False)
        why = outcome.why + "".join(f"; not confirmed: {one.doubt}" for one in self.candidates)
        return outcome._replace(why=why, warning="; ".join(filter(None, (outcome.warning, text))))

    def __str__(self) -> str:
        if self.code is not None:
            read = f"mean from {self.code.mean}, no variance: {self.code.evidence}"
            return f'1 code\n{read}\n    attach(model, mean="{self.code.mean.module}")'
        if not (self.latents or self.candidates):
            return f"no latent: {self.reason}"
        lines = [f"{len(self.latents)} latent{'s' * (len(self.latents) != 1)}"]
        if not self.latents:
            lines = ["no latent for certain; candidates:"]
        for reading in (*self.latents, *self.candidates):
            if self.latents and reading in self.candidates[:1]:
                lines.append("possible, but not certain:")
            lines.append(f"mean from {reading.mean}, {reading.form.name} from {reading.spread}: {reading.evidence}")
            lines.append(f"    {line_of(reading)}")
        return "\n".join(lines)


def find(model: nn.Module, batch: Any) -> Findings:
    """Run a model on a batch, print the latents that its forwards show with the line to write, and return them.

    The model runs as it is, in train or eval mode, eagerly and without gradient; random numbers and buffers are put
    back. A mapping gives keyword arguments, a tuple or list positional ones, anything else is the only argument.
    Raises what the model raises, and PolarMonitorError for a model that takes no hooks.

    Example:
        >>> import torch, polar_monitor
        >>> class Vae(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.encoder, self.decoder = torch.nn.Linear(8, 6), torch.nn.Linear(3, 8)
        ...     def forward(self, x):
        ...         mean, logvar = self.encoder(x).chunk(2, -1)
        ...         return self.decoder(mean + (logvar / 2).exp() * torch.randn_like(mean))
        >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
        <torch...
        >>> print(polar_monitor.find(Vae(), torch.randn(256, 8)).latents[0].mean.module)  # doctest: +ELLIPSIS
        1 latent
        ...
        encoder
    """
    findings = look_at(unwrap(model), batch)
    print(findings)
    return findings


def look_at(model: nn.Module, batch: Any, evaluating: bool = False) -> Findings:
    """Return the latents that forwards of a batch show, in eval mode if `evaluating`. Raises what the model raises."""
    look, judge, codes = Look(model), Judge(name_hint), CodeJudge()
    look.any_mode = True
    seen: list[Seen] = []
    look.start()
    try:
        with undisturbed(model, evaluating=evaluating):
            for _ in range(MAX_FORWARDS):
                call(model, batch)
                blocks = look.end_step()
                if blocks is not None:
                    seen = blocks.take()
                    codes.add(seen)
                    judge.add(seen)
                if judge.confirmed() and not judge.is_unsettled:
                    break
    finally:
        look.stop()
    latents = tuple(replace(reading, calls=calls_of(reading, seen)) for reading in judge.confirmed())
    code = codes.best()
    if latents:
        judge.settle(latents)
        return Findings(latents, tuple(open_readings(judge)))
    candidates = tuple(reading for reading in judge.ranked() if reading.fit.fits)
    reasons = [*judge.remarks, codes.reason]
    if not model.training:
        reasons.append("in eval mode a model may take the mean itself: call model.train() first")
    return Findings((), candidates, None if candidates else code, "; ".join(reasons))
