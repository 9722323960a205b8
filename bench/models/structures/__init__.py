"""The models of the study, one family a file; the code is our own, after models that are public."""

from __future__ import annotations

from ..structure import Structure
from . import (
    adversarial,
    codes,
    conditional,
    conv,
    graphs,
    halves,
    hierarchical,
    maps,
    multimodal,
    plain,
    sets,
    spread,
    topics,
    wrappers,
)  # fmt: skip
from .over_time import audio, sentences, timesteps, tokens, waves
from .without import control, networks

FAMILIES = (
    plain, halves, adversarial, spread, conv, maps, sentences, waves, timesteps, audio, tokens, hierarchical, graphs,
    multimodal, conditional, sets, topics, codes, wrappers, control, networks,
)  # fmt: skip
ALL: dict[str, Structure] = {one.name: one for family in FAMILIES for one in family.STRUCTURES}
