"""Which models are trained: families, data, seeds, and strengths from no pressure on the latents to total collapse.

The numbers of the library's rule were set while models of the first two seeds were looked at; the other two seeds are
reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

CHOOSING, REPORTED = (0, 1), (2, 3)
"""Seeds."""
AUTOENCODERS = ("least-volume", "rae-l2", "rae-sn", "autoencoder")


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

    @property
    def name(self) -> str:
        """Stable, and unique in the grid."""
        option = "" if math.isnan(self.option) else f"-{self.option:g}"
        return f"{self.family}_{self.data}{option}_{self.strength:g}_s{self.seed}"

    @property
    def reported(self) -> bool:
        """Whether its results are: no number was set by a look at it."""
        return self.seed in REPORTED

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
SHARES = (0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the conditional factor: the inputs that its dimension is there for."""
RATES = {("beta-vae", "sprites"): 2e-3, ("beta-vae", "conditional"): 2e-3, ("linear-vae", "linear-gaussian"): 1e-2}
"""Learning rates that are not the usual one."""


def full() -> list[Spec]:
    """All models, those of the first seed first, the large ones of each seed last."""
    seeds = (*CHOOSING, *REPORTED)
    found = [
        _spec(family, data, strength, seed)
        for (family, data), strengths in STRENGTHS.items()
        for strength, seed in product(strengths, seeds)
    ]
    found += [_spec("beta-vae", "conditional", *rest) for rest in product((1.0, 4.0), seeds, SHARES)]
    for seed in seeds:
        found += [_spec("beta-vae", "conditional", 300.0, seed, 0.5), _spec("conv-vae", "conditional", 8.0, seed, 0.3)]
    return sorted(found, key=lambda spec: (spec.seed, spec.data == "sprites"))


def quick() -> list[Spec]:
    """Ten kinds of them with two seeds, one of each half: every family but one and every truth."""
    names = {
        "beta-vae_conditional-0.5_4",
        "beta-vae_conditional-0.1_4",
        "beta-vae_digits_0.1",
        "beta-vae_digits_1",
        "beta-vae_digits_5",
        "linear-vae_linear-gaussian_1",
        "ivae_auxiliary_3",
        "least-volume_patches_10",
        "rae-sn_patches_0.03",
        "autoencoder_digits_0",
    }
    seeds = CHOOSING[0], REPORTED[0]
    return [spec for spec in full() if spec.seed in seeds and spec.name.rpartition("_")[0] in names]


def _spec(family: str, data: str, strength: float, seed: int, option: float = math.nan) -> Spec:
    return Spec(family, data, strength, seed, option, rate=RATES.get((family, data), 1e-3))
