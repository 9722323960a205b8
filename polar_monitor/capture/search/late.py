"""Outcome of a search that the data did not decide in time."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ...discovery.evidence.codes import CodeJudge, words_of
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import agrees, line_of, line_of_latent
from ...discovery.evidence.noise import MAX_DEVIATION
from ...discovery.evidence.seen import Seen
from ...discovery.latent import Latent
from .near import near_mean
from .outcome import Given, Outcome, outcome_of

NO_SAMPLE = "no module was seen that takes a sample of it"
MAX_CANDIDATES = 5
"""Candidates that a warning lists."""
ENCODERS = {"encoder", "enc", "vae", "vaes", "autoencoder", "latent", "posterior", "recognition", "inference", "z"}
"""Words of modules and classes that have a latent, even if the model shows no sample of it."""


def frozen_outcome(given: Given) -> Outcome:
    """Return the outcome for a model that was compiled before it showed its tensors."""
    if given.latent is not None:
        why = f"{given.latent.why}; not confirmed: the model is compiled"
        return Outcome(None if given.is_watched else given.latent, why)
    return Outcome(
        warning="the model is compiled, which hides the tensors that would show its latent: pass example=batch to "
        f"attach(). {given.question}"
    )


def late_outcome(
    model: nn.Module, given: Given, judge: Judge, codes: CodeJudge, steps: int, seen: Sequence[Seen]
) -> Outcome:
    """Return the outcome after so many steps without one; `seen` are the tensors of the latest."""
    latent = given.latent
    if latent is None or not given.is_watched:
        return Outcome(warning=_question(given, judge, codes, steps))
    own = [reading for reading in judge.ranked() if agrees(latent, reading)]
    possible = any(reading.fit.worst <= MAX_DEVIATION for reading in own)
    if not possible and (outcome := outcome_of(model, judge.confirmed(), given, is_last=True)) is not None:
        return outcome
    why = f"{latent.why}; not confirmed: {'mean or σ have hardly moved' if possible else NO_SAMPLE}"
    if not possible and (doubt := _contradiction(latent, judge, seen)):
        return Outcome(
            why=why, warning=f"the latent is not confirmed by the first {steps} steps ({latent.why}): {doubt}"
        )
    if given.is_named or codes.gives_back or not codes.steps:
        return Outcome(why=why)
    words = words_of(type(model).__name__).union(*(words_of(part.name) for part in latent.parts))
    if words & ENCODERS and not any(not reading.is_taken and reading.fit.fits for reading in own):
        return Outcome(why=why)
    modules = " and ".join(repr(part.name) for part in latent.parts)
    return Outcome(
        warning=f"nothing is watched any more: no module decodes a sample of {modules}, and {codes.reason} If it is a "
        f"latent, write {line_of_latent(latent)}",
        is_none=True,
    )


def _contradiction(latent: Latent, judge: Judge, seen: Sequence[Seen]) -> str:
    """Return words for what speaks against a latent: a reading that fits, or a sample of its size that it does not."""
    fitting = [reading for reading in judge.ranked() if reading.fit.fits and reading.is_taken and reading.lead > 0]
    if fitting:
        best, line = fitting[0], line_of(fitting[0])
        remedy = f". If that is the latent, write {line}" if line else ""
        return f"what fits is mean from {best.mean}, {best.form.name} from {best.spread} ({best.evidence}){remedy}"
    place = near_mean(latent.parts[0].name, seen)
    return place and (
        f"{place} is near this mean, but not mean + σ × noise as it is read, so KL and information may be wrong. Pass "
        "what enters the sample: monitor.observe(mean, std=…), or readers of the module's output"
    )


def _question(given: Given, judge: Judge, codes: CodeJudge, steps: int) -> str:
    """Return the warning that asks for the latent: reasons, and the lines that the data do not contradict."""
    ranked, code = judge.ranked(), codes.best()
    reasons = [reading.doubt for reading in ranked if reading.doubt][:MAX_CANDIDATES]
    reasons = reasons or [remark for remark in (*judge.remarks[:MAX_CANDIDATES], codes.reason) if remark]
    fitting = [reading for reading in ranked if reading.fit.fits][:MAX_CANDIDATES]
    lines = [f"    {line}   # {reading.evidence}" for reading in fitting if (line := line_of(reading))]
    if code is not None and not fitting:  # what carries a sample is no code
        lines.append(f'    attach(model, mean="{code.mean.module}")   # {code.evidence}')
    text = f"the first {steps} steps did not show a latent for certain{': ' if reasons else ''}{'; '.join(reasons)}"
    if lines:
        return "\n".join([f"{text}. If one of these is the latent, write its line:", *lines])
    return f"{text}. {given.question}"
