"""Instructive dimensions, what every criterion calls them, and why; `python bench/cases.py` writes the page.

Each case is one dimension of 4096 inputs, made on the spot from a fixed seed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import polar_monitor
from polar_monitor.criteria import CRITERIA
from polar_monitor.regime.disagreement import disagree
from polar_monitor.regime.label import Label
from polar_monitor.regime.regime import Regime
from polar_monitor.statistics.snapshot import Snapshot

Rows = NDArray[np.float64]
Latent = tuple[Rows, Rows]
N = 4096
PAGE = Path(__file__).resolve().parents[1] / "docs" / "labels" / "cases.md"


def three_clusters(rng: np.random.Generator) -> Latent:
    """Three tight clusters, σ² = 0.02: the dimension says which of three, as for a shape with three values."""
    return rng.choice([-1.2, 0.0, 1.2], N) + 0.003 * rng.normal(size=N), np.full(N, 0.02)


def constant_and_narrow(rng: np.random.Generator) -> Latent:
    """The mean is 0 for every input, σ² = 0.02: narrow, but the same for all."""
    return 1e-3 * rng.normal(size=N), np.full(N, 0.02)


def constant_at_two(rng: np.random.Generator) -> Latent:
    """The mean is 2 for every input, σ² = 1: off the prior, but the same for all."""
    return 2.0 + 1e-3 * rng.normal(size=N), np.ones(N)


def homogeneous(rng: np.random.Generator) -> Latent:
    """σ² = 0.3 for every input, and Var μ = 0.7: a weakly active dimension."""
    return math.sqrt(0.7) * rng.normal(size=N), np.full(N, 0.3)


def mixed(share: float, rng: np.random.Generator) -> Latent:
    """This share of the inputs use the dimension."""
    uses = np.arange(N) < share * N
    return np.where(uses, rng.normal(size=N), 0.02 * rng.normal(size=N)), np.where(uses, 0.02, 1.0)


def mixed_tenth(rng: np.random.Generator) -> Latent:
    """A tenth of the inputs use the dimension (σ² = 0.02), the others leave it at the prior."""
    return mixed(0.1, rng)


def mixed_half(rng: np.random.Generator) -> Latent:
    """Half of the inputs use the dimension (σ² = 0.02), the others leave it at the prior."""
    return mixed(0.5, rng)


def small_scale(rng: np.random.Generator) -> Latent:
    """The mean has a standard deviation of 0.02 and σ² is about 1: an ordinary passive dimension."""
    return 0.02 * rng.normal(size=N), rng.normal(1.0, 0.005, N)


def rescaled(rng: np.random.Generator) -> Latent:
    """An active dimension times 0.001, noise and all: sd μ = 0.001, σ² = 2e-8. The decoder can undo the scale."""
    return 1e-3 * rng.normal(size=N), np.full(N, 0.02e-6)


def wide_noise(rng: np.random.Generator) -> Latent:
    """The mean is N(0, 1) and so is the noise: half of the variance of z is about the input."""
    return rng.normal(size=N), np.ones(N)


def uniform(rng: np.random.Generator) -> Latent:
    """The mean is uniform with a variance of 0.98, σ² = 0.02: a textbook active dimension."""
    return math.sqrt(12 * 0.98) * (rng.uniform(size=N) - 0.5), np.full(N, 0.02)


def at_conditional_prior(rng: np.random.Generator) -> Latent:
    """Passive in an identifiable VAE, raw: mean and variance are the prior's given u, and u is all that they carry."""
    centre, spread = _conditional_prior()
    return centre + np.sqrt(spread) * 0.02 * rng.normal(size=N), spread


def standardised(rng: np.random.Generator) -> Latent:
    """The same in units of its conditional prior, (μ − μ_p(u)) / σ_p(u) and σ² / σ_p²(u), as such models need it."""
    mean, variance = at_conditional_prior(rng)
    centre, spread = _conditional_prior()
    return (mean - centre) / np.sqrt(spread), variance / spread


def _conditional_prior() -> Latent:
    u = np.arange(N) % 5
    return np.array([-1.5, -0.5, 0.0, 0.8, 1.4])[u], np.array([0.3, 0.5, 0.4, 0.2, 0.6])[u]


CASES: dict[str, Callable[[np.random.Generator], Latent]] = {
    "Three tight clusters": three_clusters,
    "Constant, narrow": constant_and_narrow,
    "Constant at 2": constant_at_two,
    "Homogeneous σ² = 0.3": homogeneous,
    "10 % mixed": mixed_tenth,
    "50 % mixed": mixed_half,
    "Passive, small scale": small_scale,
    "Active × 0.001": rescaled,
    "Noise as wide as the mean": wide_noise,
    "Active, uniform": uniform,
    "iVAE passive, raw": at_conditional_prior,
    "iVAE passive, standardised": standardised,
}


def regime(case: str) -> Regime:
    """Our regime of one case: one dimension, with its snapshot."""
    mean, variance = CASES[case](np.random.default_rng(7))
    return polar_monitor.classify(mean[:, None], var=variance[:, None])


def verdicts(found: Regime) -> dict[str, Label]:
    """What each criterion calls the dimension, ours first."""
    assert found.snapshot is not None
    return {"information": found.labels[0]} | {name: rule(found.snapshot)[0] for name, rule in CRITERIA.items()}


def row(case: str, found: Regime) -> str:
    """One line of the table; bold is what contradicts ours."""
    said = verdicts(found)
    ours = said.pop("information")
    cells = [
        f"**{label}**" if disagree(label, ours, CRITERIA[name].knows_mixed) else str(label)
        for name, label in said.items()
    ]
    return "| " + " | ".join([case, str(ours), *cells]) + " |"


def section(case: str, found: Regime) -> str:
    """What a case is, its numbers, and our explanation."""
    s = found.snapshot
    assert isinstance(s, Snapshot)
    numbers = {
        "I": s.information,
        "I_G": s.information_upper,
        "KL": s.kl,
        "h(μ)": s.entropy_knn,
        "Var μ": s.variance,
        "mean σ²": s.posterior_variance,
        "D": s.variance_gap,
    }
    said = ", ".join(f"{name} {_number(values[0])}" for name, values in numbers.items())
    return f"## {case}\n\n{CASES[case].__doc__} {said}.\n\n```text\n{found.explain(0)}\n```\n"


def _number(value: float) -> str:
    """Two decimals; of what would leave none of them, two digits."""
    return (f"{value:.2f}" if abs(value) >= 0.01 or abs(value) < 1e-6 else f"{value:.2g}").replace("-", "−")


HEAD = """# Instructive cases

Dimensions about which criteria disagree, each of 4096 inputs. `information` is ours; bold is what contradicts it (a
criterion that does not know mixed dimensions contradicts ours only about passive ones). "undecided" is what the rule
of `clapham_code` leaves open. Under the table is what `regime.explain(0)` says of each. [What is
measured](what-is-measured.md) has the definitions.

This page is made by `python bench/cases.py`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    found = {case: regime(case) for case in CASES}
    names = ["case", "information", *CRITERIA]
    table = ["| " + " | ".join(names) + " |", "| " + " | ".join("---" for _ in names) + " |"]
    table += [row(case, of) for case, of in found.items()]
    return "\n".join([HEAD, *table, "", *(section(case, of) for case, of in found.items())])


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
