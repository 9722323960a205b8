"""The causes and the advice of alerts: one table by kind, and one by the cause that the numbers point to."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .alert import Alert, AlertKind, Forecast

MAX_NAMED = 7
"""Dimensions that a message names; one more is named in place of "1 other"."""


class KindAdvice(NamedTuple):
    """All possible causes of a kind of alert, and its advice."""

    causes: tuple[str, ...]
    advice: tuple[str, ...]


class CauseAdvice(NamedTuple):
    """A named cause, and its remedy."""

    name: str
    explanation: str
    remedy: str


class Cause(enum.IntEnum):
    """The cause of a fall, where the numbers separate the causes."""

    UNKNOWN = 0
    NOISE_GROWS = 1
    MEANS_SHRINK = 2
    ALL_AT_ONCE = 3
    DEAD_ENCODER = 4
    BETA_RISES = 5
    POWERFUL_DECODER = 6
    RECONSTRUCTION_COUNTS_LESS = 7
    RECONSTRUCTION_RESCALED = 8
    LEARNING_RATE_RISES = 9
    UNITS_DIE = 10


FALL_CAUSES = (
    "the weight of the KL term (β) is rising or too high compared with what this dimension improves in the "
    "reconstruction",
    "the decoder no longer needs this dimension",
    "a regulariser (weight decay, L2 on the code) shrinks the encoder's head",
)

KIND_ADVICE: dict[AlertKind, KindAdvice] = {
    AlertKind.FADING: KindAdvice(
        FALL_CAUSES,
        (
            "if you want to keep the dimension: lower or stop raising β now, or give this dimension free bits",
            "keep the checkpoint of the last healthy step",
        ),
    ),
    AlertKind.LOST: KindAdvice(
        FALL_CAUSES, ("go back to the last healthy step and train on with a lower β or with free bits",)
    ),
    AlertKind.REVIVED: KindAdvice((), ()),
    AlertKind.DRAIN: KindAdvice(
        (
            "the weight of the KL term is rising or too high",
            "the decoder variance grows, so that reconstruction counts for less",
            "the decoder learns to model the data without the latent code",
        ),
        ("lower β, warm it up more slowly, or set a target for the rate (free bits, capacity control)",),
    ),
    AlertKind.COLLAPSE: KindAdvice(
        (
            "the KL term outweighs the reconstruction (check sum against mean over pixels)",
            "the decoder is powerful enough to ignore the code",
            "the encoder is dead (a learning-rate spike, dying ReLUs)",
        ),
        (
            "stop; go back to the last healthy step",
            "lower β, check the reduction of both loss terms, weaken the decoder or warm the KL term up",
        ),
    ),
    AlertKind.VARIANCE_COLLAPSE: KindAdvice(
        ("the weight of the KL term is too small to keep the posterior from becoming a point",),
        ("raise the weight of the KL term if samples from the prior are wanted",),
    ),
    AlertKind.FAR_FROM_PRIOR: KindAdvice(
        (
            "the KL term lacks a part, or has a wrong sign: without μ² or exp(logvar) nothing holds the posterior at "
            "the prior",
            "the weight of the KL term is negative, or too small to hold the posterior",
            "the encoder diverges (a learning rate that is too high)",
        ),
        (
            "write the KL term as -0.5 * (1 + logvar - mu**2 - logvar.exp()), with a positive weight",
            "lower the learning rate, clip gradients",
        ),
    ),
    AlertKind.NON_FINITE: KindAdvice(
        ("the loss has diverged", "float16 overflow", "exp of a large log-variance", "NaN in the data"),
        ("stop; clip gradients, lower the learning rate, clamp the log-variance",),
    ),
    AlertKind.SILENT: KindAdvice(
        (
            "the model, or this module, is in eval mode (model.eval() was left on, or a part is frozen): call "
            'model.train(), or watch modes=("train", "eval")',
            "the monitored module is not called through its __call__ "
            "(model.encode(x) and module.forward(x) bypass hooks)",
            "the model was compiled before it was monitored, or a copy of it is being trained",
            "the module was replaced after attach",
            "the modules of the mean and of the spread are called a different number of times in a step",
        ),
        (
            "pass the module whose call gives the latents (mean=…, latent=…), or call monitor.observe(mean, logvar=…)",
            "attach before the first call of a compiled model",
        ),
    ),
    AlertKind.SETTLING: KindAdvice((), ()),
    AlertKind.CUSTOM: KindAdvice((), ()),
}
NEVER_IN_USE = KindAdvice(
    (
        "the KL term outweighs the reconstruction from the start: check the reduction of both terms (a KL term summed "
        "over dimensions against a reconstruction that is a mean over pixels or features)",
        "β is too high for the scale of the reconstruction",
        "the decoder is powerful enough to ignore the code from the start",
        "the encoder does not learn: its parameters are frozen or not in the optimiser, or its units are dead",
    ),
    (
        "sum both loss terms over pixels and over dimensions, and average over the batch alone",
        "lower β, or warm it up from 0; weaken the decoder",
    ),
)
"""Causes and advice of a COLLAPSE of a model in which no dimension ever came into use, or only at the very start."""
USED_LITTLE = KindAdvice(
    KIND_ADVICE[AlertKind.COLLAPSE].causes,
    ("stop; go back to a step at which dimensions were in use", KIND_ADVICE[AlertKind.COLLAPSE].advice[1]),
)
"""Those of a model whose dimensions were in use for some time, each with little."""


CAUSE_ADVICE: dict[Cause, CauseAdvice] = {
    Cause.UNKNOWN: CauseAdvice("unknown", "", ""),
    Cause.NOISE_GROWS: CauseAdvice(
        "noise grows",
        "the posterior goes to the prior, as its noise grows or its means shrink: the KL term outweighs what the "
        "decoder makes of the code (β rises or is too high, the decoder variance grows, or the decoder learns to do "
        "without the code)",
        "lower β, or stop raising it; free bits or a target for the rate keep a dimension that is wanted",
    ),
    Cause.MEANS_SHRINK: CauseAdvice(
        "means shrink",
        "the code shrinks below the prior: weight decay or another penalty on the encoder and its heads",
        "take the encoder's heads out of the weight decay, or lower it",
    ),
    Cause.ALL_AT_ONCE: CauseAdvice(
        "all at once",
        "most dimensions in use fell within one evaluation: something changed at once (β, the reduction of a loss "
        "term, the learning rate), or the units before the heads died",
        "compare the configuration with that of the last healthy step, and go back to it",
    ),
    Cause.DEAD_ENCODER: CauseAdvice(
        "dead encoder",
        "the means are constant and the posterior is not the prior: the encoder is dead (dying ReLUs, a learning-rate "
        "spike)",
        "go back to the last healthy step with a lower learning rate, gradient clipping, or leaky units before the "
        "heads",
    ),
    Cause.BETA_RISES: CauseAdvice(
        "beta rises",
        "β has risen since, and the noise of the posterior with it",
        "stop raising β, or lower it; free bits or a target for the rate keep a dimension that is wanted",
    ),
    Cause.POWERFUL_DECODER: CauseAdvice(
        "powerful decoder",
        "the decoder learns to do without the code: information falls and the reconstruction gets no worse",
        "weaken the decoder, drop out its input, or train the encoder more often than the decoder",
    ),
    Cause.RECONSTRUCTION_COUNTS_LESS: CauseAdvice(
        "reconstruction counts less",
        "β is unchanged, and information and reconstruction both suffer: the reconstruction counts for less (a learned "
        "decoder variance grows, or the term is averaged or weighted)",
        "bound or fix the decoder variance; check the weight of the reconstruction",
    ),
    Cause.RECONSTRUCTION_RESCALED: CauseAdvice(
        "reconstruction rescaled",
        "the reconstruction term fell to less than half at once, while information was lost: its reduction or its "
        "weight has changed (sum against mean)",
        "sum both terms over pixels and over dimensions, or rescale β",
    ),
    Cause.LEARNING_RATE_RISES: CauseAdvice(
        "learning rate rises",
        "the learning rate has risen since",
        "lower the learning rate, clip gradients, and go back to the last healthy step",
    ),
    Cause.UNITS_DIE: CauseAdvice(
        "units die",
        "the noise of the posterior grows for some inputs and not for others: units of the encoder die or saturate "
        "(dying ReLUs, biases that drift)",
        "lower the learning rate, take leaky units before the heads, and look for what drives the encoder's biases",
    ),
}


def make_alert(
    kind: AlertKind,
    step: int,
    message: str,
    evidence: Mapping[str, float],
    *,
    dimensions: Sequence[int] = (),
    subject: Sequence[int] | None = None,
    forecast: Forecast | None = None,
    last_healthy_step: int | None = None,
    cause: Cause | Sequence[Cause] = Cause.UNKNOWN,
    texts: KindAdvice | None = None,
    amends: int | None = None,
) -> Alert:
    """Return an alert with the named causes alone, or with all causes: those given, or those that its kind can have.

    The message of an alert about dimensions follows their names: "is lost" becomes "dimension 3 is lost". With a
    `subject` it follows those names alone.
    """
    causes, advice = KIND_ADVICE[kind] if texts is None else texts
    named_causes = (cause,) if isinstance(cause, Cause) else cause
    if known := [CAUSE_ADVICE[one] for one in named_causes if one is not Cause.UNKNOWN]:
        causes = tuple(one.explanation for one in known)
        advice = (*dict.fromkeys(one.remedy for one in known), *advice)
    which = tuple(dimensions)
    if which:
        message = f"{named(which if subject is None else subject)} {message}"
    first = which[0] if which else None
    return Alert(
        kind, step, first, message, evidence, forecast, last_healthy_step, causes, advice, dimensions=which,
        amends=amends,
    )  # fmt: skip


def named(dimensions: Sequence[int]) -> str:
    """Return the dimensions in words; of many, the first.

    Example:
        >>> named([3]), named([3, 7, 12]), named(range(40))
        ('dimension 3', 'dimensions 3, 7 and 12', 'dimensions 0, 1, 2, 3, 4, 5, 6 and 33 others')
    """
    if len(dimensions) == 1:
        return f"dimension {dimensions[0]}"
    shown = [str(j) for j in dimensions[:MAX_NAMED]]
    more = len(dimensions) - len(shown)
    if more == 1:
        shown, more = [*shown, str(dimensions[-1])], 0
    *first, last = shown if not more else [*shown, f"{more} others"]
    return f"dimensions {', '.join(first)} and {last}"
