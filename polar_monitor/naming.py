"""What a module's name says about its output: a mean, a spread in which unit, or nothing.

The words of a name are its role ("mu", "log_var") and its stem, all the others: "z_mean" and "z_log_var" have one stem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MEANS = {"mu", "mean", "means", "loc"}
SPREADS = {
    "logvar": "logvar", "logvariance": "logvar", "logv": "logvar", "lv": "logvar", "logcov": "logvar",
    "logcovariance": "logvar", "logsigma2": "logvar", "logsigmasq": "logvar", "logsigmasquared": "logvar",
    "logstd": "logstd", "logstddev": "logstd", "logsigma": "logstd", "logscale": "logstd",
}  # fmt: skip
"""Names that tell the unit of a spread."""
UNCLEAR = {"var", "variance", "cov", "sigma", "std", "scale", "sigma2", "stddev"}
"""Names of a spread that do not: much code calls the layer "fc_var" that gives log σ²."""
CODES = {"bottleneck", "code", "to_latent", "to_z", "fc_z"}
CODES_BESIDE_A_SPREAD = {"embedding"}
"""A mean only where a spread stands beside it, as in Pythae's encoders."""
USUAL = {
    "fc", "linear", "lin", "head", "layer", "to", "z", "conv", "enc", "encoder", "hidden", "proj", "projection",
    "latent", "net", "q", "qz", "out", "output", "dense", "h", "1", "2", "final", "posterior",
}  # fmt: skip
"""Words that may stand beside the role without meaning another variable than the latent."""
ELSEWHERE = {
    "decoder", "dec", "prior", "generator", "gen", "likelihood", "discriminator", "disc", "critic", "px", "p",
}  # fmt: skip
"""Words of what is not the posterior: a pair that stands there is never taken without being named."""


@dataclass(frozen=True)
class Role:
    """What a name says. `kind` is a spread's unit, None where the name does not tell it, "mean" for a mean."""

    kind: str | None
    stem: tuple[str, ...]

    @property
    def usual(self) -> bool:
        """Whether the rest of the name means nothing else than the latent."""
        return set(self.stem) <= USUAL


def role(name: str) -> Role | None:
    """The role of the module with this name; None where the name has none, or more than one."""
    words = _words(name.rsplit(".", 1)[-1])
    found = []
    start = 0
    while start < len(words):
        for stop in range(len(words), start, -1):
            said = "".join(words[start:stop])
            if said in MEANS or said in SPREADS or said in UNCLEAR:
                kind = "mean" if said in MEANS else SPREADS.get(said)
                found.append(Role(kind, tuple(words[:start] + words[stop:])))
                start = stop
                break
        else:
            start += 1
    return found[0] if len(found) == 1 else None


def elsewhere(name: str) -> bool:
    """Whether a name, or that of a module around it, belongs to a decoder, a prior or their like."""
    for part in name.split("."):
        words = set(_words(part))
        if words & ELSEWHERE and not words & {"encoder", "enc", "posterior"}:
            return True
    return False


def _words(part: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", part)]
