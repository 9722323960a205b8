"""Which models are trained: families, data, seeds, and strengths from no pressure on the latents to total collapse.

The numbers of the library's rules were set while models of other seeds were looked at: 0 to 5. Autoencoders have a
second grid of harder models: penalties close to collapse, a decoder that may undo the penalty, a code of one scale
whose decoder pays, data in another unit, and many dimensions.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import product

REPORTED = (11, 12, 13)
"""Seeds, none of which a number of the library was set by."""
AUTOENCODERS = ("least-volume", "rae-l2", "rae-sn", "autoencoder", "penalised", "column-decay")


@dataclass(frozen=True)
class Spec:
    """One model of the grid, and how it is trained."""

    family: str
    data: str
    strength: float
    seed: int
    option: float = math.nan
    """The share of the conditional factor."""
    steps: int = 2000
    rate: float = 1e-3
    factor: float = 1.0
    """The data are multiplied by it."""
    latents: int = 0
    """D; 0 for the usual number for the data."""

    @property
    def name(self) -> str:
        """Stable, and unique in the grid."""
        option = "" if math.isnan(self.option) else f"-{self.option:g}"
        option += f"-x{self.factor:g}" if self.factor != 1 else ""
        option += f"-d{self.latents}" if self.latents else ""
        return f"{self.family}_{self.data}{option}_{self.strength:g}_s{self.seed}"

    @property
    def price(self) -> float:
        """β of a VAE, NaN for autoencoders."""
        return math.nan if self.family in AUTOENCODERS else self.strength


STRENGTHS: dict[tuple[str, str], tuple[float, ...]] = {
    ("beta-vae", "sprites"): (0.5, 4.0, 12.0, 60.0),
    ("beta-vae", "digits"): (0.1, 0.5, 1.0, 5.0),
    ("beta-vae", "patches"): (0.1, 1.0, 4.0, 30.0),
    ("conv-vae", "digits"): (0.1, 1.0, 5.0),
    ("linear-vae", "linear-gaussian"): (0.05, 1.0, 4.0, 20.0),
    ("ivae", "auxiliary"): (0.3, 3.0, 30.0, 200.0),
    ("least-volume", "patches"): (0.0, 3.0, 10.0, 300.0),
    ("rae-l2", "digits"): (0.01, 1.0, 10000.0),
    ("rae-sn", "patches"): (0.03, 3.0, 300.0),
    ("autoencoder", "sprites"): (0.0,),
    ("autoencoder", "digits"): (0.0,),
    ("autoencoder", "patches"): (0.0,),
}
"""Of every family and data set."""
HARDER: dict[tuple[str, str], tuple[float, ...]] = {
    ("least-volume", "patches"): (30.0, 60.0, 100.0),
    ("rae-l2", "digits"): (30.0, 100.0, 300.0),
    ("rae-sn", "patches"): (0.3, 30.0),
    ("rae-sn", "digits"): (0.3, 3.0, 30.0),
    ("penalised", "patches"): (0.1, 10.0),
    ("penalised", "digits"): (0.1, 10.0),
    ("column-decay", "patches"): (10.0, 40.0, 60.0),
    ("column-decay", "digits"): (1.0, 5.0, 10.0),
}
"""Strengths of the harder autoencoders."""
IN_ANOTHER_UNIT = {"autoencoder": 0.0, "rae-sn": 3.0, "least-volume": 300.0}
"""Families and strengths for patches times 100."""
WITH_MANY_DIMENSIONS = {"autoencoder": 0.0, "rae-sn": 0.3, "least-volume": 10.0, "column-decay": 40.0}
"""Families and strengths for patches with 48 dimensions."""
SHARES = (0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the conditional factor: the inputs that its dimension is there for."""
RATES = {("beta-vae", "sprites"): 2e-3, ("beta-vae", "conditional"): 2e-3, ("linear-vae", "linear-gaussian"): 1e-2}
"""Learning rates that are not the usual one."""


def full() -> list[Spec]:
    """All models, in an order that mixes them, so that a run that is interrupted has some of every kind."""
    found = [
        _spec(family, data, strength, seed)
        for table in (STRENGTHS, HARDER)
        for (family, data), strengths in table.items()
        for strength, seed in product(strengths, REPORTED)
    ]
    found += [_spec("beta-vae", "conditional", *rest) for rest in product((1.0, 4.0), REPORTED, SHARES)]
    for seed in REPORTED:
        found += [_spec("beta-vae", "conditional", 300.0, seed, 0.5), _spec("conv-vae", "conditional", 8.0, seed, 0.3)]
        found += [Spec(family, "patches", weight, seed, factor=100.0) for family, weight in IN_ANOTHER_UNIT.items()]
        found += [
            Spec(family, "patches", strength, seed, latents=48) for family, strength in WITH_MANY_DIMENSIONS.items()
        ]
    return sorted(found, key=lambda spec: hashlib.sha256(spec.name.encode()).digest())


def quick() -> list[Spec]:
    """Ten kinds of them with two seeds: every kind of family and every truth."""
    names = {
        "beta-vae_conditional-0.5_4",
        "beta-vae_conditional-0.1_4",
        "beta-vae_digits_0.1",
        "beta-vae_digits_1",
        "beta-vae_digits_5",
        "linear-vae_linear-gaussian_1",
        "ivae_auxiliary_3",
        "least-volume_patches_30",
        "rae-sn_patches_0.03",
        "autoencoder_digits_0",
    }
    return [spec for spec in full() if spec.seed in REPORTED[:2] and spec.name.rpartition("_")[0] in names]


def _spec(family: str, data: str, strength: float, seed: int, option: float = math.nan) -> Spec:
    return Spec(family, data, strength, seed, option, rate=RATES.get((family, data), 1e-3))
