"""TODO."""

from __future__ import annotations

from collections.abc import Mapping

from .alert import Alert, AlertKind, Forecast

CAUSES: dict[AlertKind, tuple[str, ...]] = {
    AlertKind.FADING: (
        "the weight of the KL term (β) is rising or too high for what this dimension buys in reconstruction",
        "the decoder has become able to do without it",
        "a regulariser (weight decay, L2 on the code) shrinks the encoder's head",
    ),
    AlertKind.DRAIN: (
        "the weight of the KL term is rising or too high",
        "the decoder variance grows, so that reconstruction counts for less",
        "the decoder learns to model the data without the latent code",
    ),
    AlertKind.COLLAPSE: (
        "the KL term outweighs the reconstruction (check sum against mean over pixels)",
        "the decoder is powerful enough to ignore the code",
        "the encoder is dead (a learning-rate spike, dying ReLUs)",
    ),
    AlertKind.VARIANCE_COLLAPSE: (
        "the weight of the KL term is too small to keep the posterior from becoming a point",
    ),
    AlertKind.NON_FINITE: ("the loss has diverged", "float16 overflow", "exp of a large log-variance"),
    AlertKind.SILENT: (
        "the monitored module is not called through its __call__ (model.encode(x) and module.forward(x) bypass hooks)",
        "the model was compiled before it was monitored, or a copy of it is being trained",
        "the module was replaced after attach",
        'the module is in eval mode (frozen, batch norm): watch modes=("train", "eval")',
        "mean and spread are not called equally often in a step",
    ),
}
CAUSES[AlertKind.LOST] = CAUSES[AlertKind.FADING]
CAUSES[AlertKind.REVIVED] = CAUSES[AlertKind.CUSTOM] = ()

ADVICE: dict[AlertKind, tuple[str, ...]] = {
    AlertKind.FADING: (
        "if the dimension is wanted: lower or stop raising β now, or give this dimension free bits",
        "keep the checkpoint of the last healthy step",
    ),
    AlertKind.LOST: ("go back to the last healthy step and train on with a lower β or with free bits",),
    AlertKind.REVIVED: (),
    AlertKind.CUSTOM: (),
    AlertKind.DRAIN: ("lower β, warm it up more slowly, or set a target for the rate (free bits, capacity control)",),
    AlertKind.COLLAPSE: (
        "stop; go back to the last healthy step",
        "lower β, check the reduction of both loss terms, weaken the decoder or warm the KL term up",
    ),
    AlertKind.VARIANCE_COLLAPSE: ("raise the weight of the KL term if samples from the prior are wanted",),
    AlertKind.NON_FINITE: ("stop; clip gradients, lower the learning rate, clamp the log-variance",),
    AlertKind.SILENT: (
        "pass the module whose call gives the latents (mean=…, latent=…), or call monitor.observe(mean, logvar=…)",
        "attach before the first call of a compiled model",
    ),
}


UNKNOWN, NOISE, SHRINK, SUDDEN, DEAD, STRONGER, DECODER, LIGHTER, RESCALED, FASTER = range(10)


NAMES = (
    "unknown",
    "noise grows",
    "means shrink",
    "all at once",
    "dead encoder",
    "beta rises",
    "powerful decoder",
    "reconstruction counts less",
    "reconstruction rescaled",
    "learning rate rises",
)


SAID = (
    "",
    "the noise of the posterior grows while its means stay: the KL term outweighs what the decoder makes of the code "
    "(β rises or is too high, the decoder variance grows, or the decoder learns to do without the code)",
    "the means shrink while the noise stays: weight decay or another penalty on the encoder and its heads",
    "most dimensions in use fell within one evaluation: something changed at once (β, the reduction of a loss term, "
    "the learning rate), or the units before the heads died",
    "the means are constant and the noise is not the prior's: the encoder is dead (dying ReLUs, a learning-rate spike)",
    "β has risen since, and the noise of the posterior with it",
    "information falls and the reconstruction does not: the decoder learns to do without the code",
    "β is what it was, and information and reconstruction both suffer: the reconstruction counts for less (a learned "
    "decoder variance grows, or the term is averaged or weighted)",
    "the reconstruction term fell to less than half at once, while information was lost: its reduction or its weight "
    "has changed (sum against mean)",
    "the learning rate has risen since",
)


TRY = (
    "",
    "lower β, or stop raising it; free bits or a target for the rate keep a dimension that is wanted",
    "take the encoder's heads out of the weight decay, or lower it",
    "compare the configuration with that of the last healthy step, and go back to it",
    "go back to the last healthy step with a lower learning rate, gradient clipping, or leaky units before the heads",
    "stop raising β, or lower it; free bits or a target for the rate keep a dimension that is wanted",
    "weaken the decoder, drop out its input, or train the encoder more often than the decoder",
    "bound or fix the decoder variance; check the weight of the reconstruction",
    "sum both terms over pixels and over dimensions, or rescale β",
    "lower the learning rate, clip gradients, and go back to the last healthy step",
)


def raised(
    kind: AlertKind,
    step: int,
    dimension: int | None,
    said: str,
    evidence: Mapping[str, float],
    forecast: Forecast | None = None,
    healthy: int | None = None,
    told: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> Alert:
    """An alert with the causes and the advice that are `told`, or else those of its kind."""
    message = said if dimension is None else f"dimension {dimension} {said}"
    return Alert(kind, step, dimension, message, evidence, forecast, healthy, *(told or (CAUSES[kind], ADVICE[kind])))


def told(kind: AlertKind, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Causes and advice of an alert: the named cause alone, or all that are possible."""
    if place == UNKNOWN:
        return CAUSES[kind], ADVICE[kind]
    return (SAID[place],), (TRY[place], *ADVICE[kind])
