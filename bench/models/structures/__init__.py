"""The models of the study, one family a file; the code is our own, after models that are public."""

from __future__ import annotations

from .. import no_latents
from ..structure import Structure
from . import (
    audio,
    codes,
    conv,
    graphs,
    halves,
    hierarchical,
    maps,
    multimodal,
    plain,
    sequences,
    sets,
    spread,
    timesteps,
    tokens,
    wrappers,
)  # fmt: skip

FAMILIES = (
    plain, halves, spread, conv, maps, sequences, timesteps, audio, tokens, hierarchical, graphs, multimodal, sets,
    codes, wrappers, no_latents,
)  # fmt: skip
ALL: dict[str, Structure] = {one.name: one for family in FAMILIES for one in family.STRUCTURES}
