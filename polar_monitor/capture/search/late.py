"""Outcome of a search that the data did not decide in time."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from torch import nn

from ...discovery.evidence.codes import CodeJudge, words_of
from ...discovery.evidence.judge import Judge
from ...discovery.evidence.latents import agrees, line_of, line_of_latent
from ...discovery.evidence.noise import MAX_DEVIATION
from ...discovery.evidence.reading import RARE, Reading
from ...discovery.evidence.seen import Seen
from ...discovery.evidence.unseen.hidden_pairs import hidden_lines
from ...discovery.latent import Latent
from ...discovery.suggestions import PLACEHOLDER
from .given_values import GivenValues
from .near import explained_reading, near_reading
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
        question = _question(given, judge, codes, steps, seen)
        is_explained = bool(judge.remarks) or any(one.fit.fits for one in judge.ranked())
        near = None if is_explained else explained_reading(seen)
        return Outcome(warning=question) if near is None else Outcome(reading=near, asked=question)
    if given.is_read:
        return _of_functions(model, latent, given, judge, steps, seen)
    own = [reading for reading in judge.ranked() if agrees(latent, reading)]
    possible = any(reading.fit.worst <= MAX_DEVIATION for reading in own)
    action = next((one for one in own if one.fit.fits and one.is_beside_inputs), None)
    if action is not None and not given.is_named:
        return _action(latent, action)
    if not possible and (outcome := outcome_of(model, judge.confirmed(), given, is_last=True)) is not None:
        return outcome
    why = f"{latent.why}; not confirmed: {'mean or σ have hardly moved' if possible else NO_SAMPLE}"
    doubt = "" if possible else _contradiction(judge, RARE)
    if not (possible or doubt) and (near := near_reading(latent, seen)) is not None:
        if near.is_beside_inputs and not given.is_named:
            return _action(latent, near)
        return Outcome(why=f"{latent.why}; not confirmed so far: {near.sample} is near its mean", reading=near)
    if not possible and (doubt := doubt or _contradiction(judge)):
        return Outcome(
            why=why, warning=f"the latent is not confirmed by the first {steps} steps ({latent.why}): {doubt}"
        )
    if given.is_named or codes.gives_back or not codes.steps:
        return Outcome(why=why)
    words = words_of(type(model).__name__).union(*(words_of(part.name) for part in latent.parts))
    if words & ENCODERS and not any(not reading.is_taken and reading.fit.fits for reading in own):
        return Outcome(why=why)
    return Outcome(
        warning=f"nothing is watched any more: no module decodes a sample of {_names(latent)}, and {codes.reason} "
        f"If it is a latent, write {line_of_latent(latent)}",
        is_none=True,
    )


def _action(latent: Latent, reading: Reading) -> Outcome:
    warning = (
        f"nothing is watched any more: {_names(latent)} give an action, not a latent: {reading.action}. If it is a "
    )
    return Outcome(warning=f"{warning}latent, write {line_of_latent(latent)}", is_none=True)


def _names(latent: Latent) -> str:
    return " and ".join(repr(part.name) for part in latent.parts)


def _of_functions(
    model: nn.Module, latent: Latent, given: Given, judge: Judge, steps: int, seen: Sequence[Seen]
) -> Outcome:
    """Return the outcome for a latent that functions of the user read."""
    outcome = outcome_of(model, judge.confirmed(), given, is_last=True, seen=seen)
    if outcome is not None:
        return outcome
    doubt = GivenValues(latent, seen).contradiction()
    if not doubt:
        return Outcome(why=f"{latent.why}; not confirmed: {NO_SAMPLE}")
    return Outcome(
        why=f"{latent.why}; not confirmed",
        warning=f"the arguments of attach() do not fit the data in the first {steps} steps ({latent.why}): {doubt}. "
        "Let the functions return what enters the sample",
    )


def _contradiction(judge: Judge, rarity: float = inf) -> str:
    """Return words for a reading, of a form below a rarity, that fits instead of a latent; '' if none does."""
    ranked = [reading for reading in judge.ranked() if reading.form.rarity < rarity]
    fitting = [reading for reading in ranked if reading.fit.fits and reading.is_taken and reading.lead > 0]
    if not fitting:
        return ""
    best = fitting[0]
    return (
        f"what fits is mean from {best.mean}, {best.form.name} from {best.spread} ({best.evidence}). If that is the "
        f"latent, write {line_of(best)}"
    )


def _question(given: Given, judge: Judge, codes: CodeJudge, steps: int, seen: Sequence[Seen]) -> str:
    """Return the warning that asks for the latent: reasons, and the lines that the data do not contradict."""
    ranked, code = judge.ranked(), codes.best()
    reasons = [reading.doubt for reading in ranked if reading.doubt][:MAX_CANDIDATES]
    reasons = reasons or judge.remarks[:MAX_CANDIDATES] or [reason for reason in (codes.reason,) if reason]
    fitting = [reading for reading in ranked if reading.fit.fits][:MAX_CANDIDATES]
    evidence = {line_of(reading): reading.evidence for reading in reversed(fitting)}
    lines = [f"    {line}   # {why}" for line, why in reversed(evidence.items())]
    if code is not None and not fitting:  # what carries a sample is no code
        lines.append(f'    attach(model, mean="{code.mean.module}")   # {code.evidence}')
        if given.question.startswith("found "):  # a pair of heads whose sample no module takes
            lines.append(f"By the names: {given.question}")
    is_shown = bool(lines or ranked) or codes.is_explained
    if PLACEHOLDER in given.question and not is_shown and codes.gives_back:
        lines += [f"    {line}   # {why}" for line, why in hidden_lines(seen, MAX_CANDIDATES + 1)]
    text = f"the first {steps} steps did not show a latent for certain{': ' if reasons else ''}{'; '.join(reasons)}"
    text += "" if text.endswith("?") else "."
    if lines:
        return "\n".join([f"{text} If one of these is the latent, write its line:", *lines])
    if not ranked and codes.is_explained:
        return text
    return f"{text} {given.question}".rstrip()
