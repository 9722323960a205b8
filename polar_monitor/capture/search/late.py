"""Outcome of a search that the data did not decide in time."""

from __future__ import annotations

from torch import nn

from ...discovery.evidence.codes import CodeJudge, words_of
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import agrees, line_of, line_of_latent
from ...discovery.evidence.noise import MAX_DEVIATION
from .outcome import Given, Outcome, outcome_of

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


def late_outcome(model: nn.Module, given: Given, judge: Judge, codes: CodeJudge, steps: int) -> Outcome:
    """Return the outcome after so many steps without one."""
    latent = given.latent
    if latent is None or not given.is_watched:
        return Outcome(warning=_question(given, judge, codes, steps))
    own = [reading for reading in judge.ranked() if agrees(latent, reading)]
    possible = any(reading.fit.worst <= MAX_DEVIATION for reading in own)
    if not possible and (outcome := outcome_of(model, judge.confirmed(), given, is_last=True)) is not None:
        return outcome
    why = f"{latent.why}; not confirmed: no module was seen that takes a sample of it"
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
