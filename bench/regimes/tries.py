"""Other rules that were tried where a goal is missed: `python -m bench.regimes.tries [--train]`.

They are judged beside ours on models to choose by and on models that no number was chosen on, by the same truth. With
`--train` models of further seeds are trained first (some 20 minutes on two cores). Writes tables into
docs/results/README.md.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polar_monitor.intervention.decoder_call import DecoderCall
from polar_monitor.intervention.gate import measure
from polar_monitor.regime.judge import judge
from polar_monitor.statistics.thresholds import MIN_EFFECT, Z

from .report import pages
from .report.provenance import ROOT
from .scoring import dimensions
from .scoring.agreement import two_way
from .scoring.tables import markdown
from .training import grid, materials, train, truth
from .training.record import Trained, load_all

Words = NDArray[np.str_]
CHOSEN_ON, FRESH = (21, 22, 23, 24), (31, 32, 33, 34, 35, 36)
"""Seeds that numbers were chosen on, and fresh ones. Of iVAEs all, of codes the first two, of other VAEs the first."""


def specs() -> list[grid.Spec]:
    """The further models: VAEs and codes of many dimensions, fresh ones of iVAEs and codes alone."""
    kinds = [spec for spec in grid.full() if spec.seed == grid.REPORTED[0]]
    ivaes = [spec for spec in kinds if spec.family == "ivae"]
    many = [spec for spec in kinds if spec.latents]
    others = [spec for spec in kinds if spec.family not in (*grid.AUTOENCODERS, "ivae")]
    pairs = [(seed, ivaes) for seed in (*CHOSEN_ON, *FRESH)]
    pairs += [(seed, many) for seed in (*CHOSEN_ON[:2], *FRESH[:2])] + [(seed, others) for seed in CHOSEN_ON[:1]]
    return [replace(spec, seed=seed) for seed, of in pairs for spec in of]


class Judged(NamedTuple):
    """A model's truth, and its labels by every rule."""

    model: Trained
    truth: Words
    labels: dict[str, Words]
    width: NDArray[np.float64]
    """V + E of each dimension, in units of the prior where that is conditional; empty for codes."""


def judged(model: Trained) -> Judged:
    """Judge one model by our rule and by the others."""
    return _of_vae(model) if model.logvar is not None else _of_code(model)


def _of_vae(model: Trained) -> Judged:
    view = list(dimensions.views(model))[-1]
    known, taken = (
        (model.rows, model.truth) if model.prior_mean is None else (model.rows_given_prior, model.truth_given_prior)
    )
    assert view.variance is not None and known is not None and taken is not None
    s, regime = view.seen, judge(view.seen)
    ours = np.array([str(label) for label in regime.labels])
    nearer = np.array([str(label) for label in dimensions.decided(regime)])
    is_open = ours == "undecided"
    low, high = s.information - Z * s.information_se, s.information + Z * s.information_se
    closer = np.where(is_open & (high <= CLOSER[0]), "passive", np.where(is_open & (low >= CLOSER[1]), "active", ours))
    between = 1 - s.share_active - s.share_passive
    apart = between < np.minimum(s.share_active, s.share_passive)
    predicted = np.array(truth.labels(predicted_rises(view.mean, view.variance), 1.0))
    by = {
        "ours": ours,
        "the nearer cut": nearer,
        f"cuts of {CLOSER[0]} and {CLOSER[1]} nats": closer,
        "mixed only with fewer inputs between": np.where((ours == "mixed") & ~apart, "active", ours),
        "rises predicted from the posterior": np.where(predicted == "unclear", "undecided", predicted),
    }
    return Judged(model, np.array(taken), by, np.asarray(s.variance + s.posterior_variance, np.float64))


CLOSER = (0.08, 0.12)
"""Nats: cuts that leave less between them than ours (0.05 and 0.15)."""


def predicted_rises(mean: NDArray[Any], variance: NDArray[Any]) -> NDArray[np.float64]:
    """Return what replacing each z_j by a draw of N(0, 1) would cost each input, in units of the price of a nat.

    At the optimum the curvature of the loss is 1 / σ² − 1, and its minimum lies at μ (1 + h) / h: the loss of a
    quadratic decoder then follows from the posterior alone. Latents (n, D) are in units of their prior.
    """
    v = np.minimum(np.asarray(variance, np.float64), 0.9999)
    m, h = np.asarray(mean, np.float64), 1 / v - 1
    centre = m * (1 + h) / h
    return np.asarray(0.5 * h * (1 + centre**2 - v - (centre - m) ** 2))


def _of_code(model: Trained) -> Judged:
    decoder, like = materials.rebuilt(model), _spec_of(model)
    assert decoder is not None
    variance = float(materials.rows(like)[1].x.var(0).mean())
    m = measure(DecoderCall.of(decoder.decode), model.mean, variance)
    is_used = m.effect >= MIN_EFFECT
    w2 = (model.mean.std(0, dtype=np.float64) * m.gain) ** 2
    typical, whole = np.sqrt((w2**2).sum() / w2.sum()), m.effect * m.reference * model.inputs
    seen = model.mean * np.where(m.gain > 0, m.gain, 1e-12).astype(np.float32)

    def resolved(tau: float) -> Words:
        labels = dimensions.given_scale(seen, tau) if is_used else ["passive"] * model.dimensions
        return np.array([str(label) for label in labels])

    def share(least: float) -> Words:
        return np.where(is_used & (w2 / whole >= least), "active", "passive")

    by = {
        "ours": resolved(0.1 * typical),
        "twice the resolution": resolved(0.2 * typical),
        "resolved at .07 of the root of the sum of all": resolved(0.07 * np.sqrt(w2.sum())),
        **{f"at least {100 * part:g} % of what the whole code moves": share(part) for part in (0.005, 0.01)},
    }
    return Judged(model, np.array(model.truth), by, np.zeros(0))


def _spec_of(model: Trained) -> grid.Spec:
    kind = model.name.rpartition("_")[0]
    return replace(next(spec for spec in grid.full() if spec.name.rpartition("_")[0] == kind), seed=model.seed)


def table(found: Sequence[Judged], columns: dict[str, Callable[[Trained], bool]]) -> str:
    """Return a rule a row: three-way and two-way agreement in percent on each set of models."""
    head = ["rule"]
    for said, inside in columns.items():
        count = sum(int((one.truth != "unclear").sum()) for one in found if inside(one.model))
        head.append(f"{said}: {sum(map(inside, (one.model for one in found)))} models, {count} dimensions")
    sets = [[one for one in found if inside(one.model)] for inside in columns.values()]
    rows = [[rule, *(_shares(one, rule) for one in sets)] for rule in found[0].labels]
    return markdown(head, rows)


def _shares(found: Sequence[Judged], rule: str) -> str:
    clear = [(one.labels[rule][one.truth != "unclear"], one.truth[one.truth != "unclear"]) for one in found]
    three = np.concatenate([label == true for label, true in clear]).mean()
    two = np.concatenate([two_way(label) == two_way(true) for label, true in clear]).mean()
    return f"{100 * three:.1f}" if three == two else f"{100 * three:.1f}, {100 * two:.1f}"


def _tables(models: Iterator[Trained]) -> dict[str, str]:
    found = [judged(model) for model in models]
    vaes, codes = ([one for one in found if (one.model.logvar is not None) == is_vae] for is_vae in (True, False))
    width = np.concatenate([one.width for one in vaes if one.model.family == "ivae"])
    print(f"V + E of the iVAEs in units of their prior: {width.min():.3f} to {width.max():.3f}, {np.median(width):.3f}")
    return {
        "tries-vaes": table(
            vaes,
            {
                "iVAEs, chosen on": lambda m: m.family == "ivae" and m.seed in CHOSEN_ON,
                "iVAEs, fresh": lambda m: m.family == "ivae" and m.seed in FRESH,
                "iVAEs of the study": lambda m: m.family == "ivae" and m.seed in grid.REPORTED,
                "other VAEs, chosen on": lambda m: m.family != "ivae" and m.seed in CHOSEN_ON,
                "other VAEs of the study": lambda m: m.family != "ivae" and m.seed in grid.REPORTED,
            },
        ),
        "tries-codes": table(
            codes,
            {
                "48 dimensions, chosen on": lambda m: m.seed in CHOSEN_ON,
                "48 dimensions, fresh": lambda m: m.seed in FRESH,
                "column-decay of the study": lambda m: m.family == "column-decay" and m.seed in grid.REPORTED,
                "Least Volume": lambda m: m.family == "least-volume" and m.seed in grid.REPORTED,
                "RAE-SN": lambda m: m.family == "rae-sn" and m.seed in grid.REPORTED,
                "all autoencoders of the study": lambda m: m.seed in grid.REPORTED,
            },
        ),
    }


def main() -> None:
    """Train what is missing if that is asked for, judge, write the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.regimes.tries", description=__doc__.partition("\n")[0])
    parser.add_argument("--train", action="store_true", help="train the further models that are not there yet")
    build = ROOT / "build" / "regimes"
    parser.add_argument("--records", type=Path, default=build / "records-full", help="folder of the study's records")
    parser.add_argument("--further", type=Path, default=build / "records-tries", help="folder of the further ones")
    arguments = parser.parse_args()
    logging.getLogger("polar_monitor").setLevel(logging.ERROR)
    if arguments.train:
        for spec in specs():
            print(train.record(spec, arguments.further), flush=True)
    folders = arguments.records, arguments.further
    texts = _tables(model for folder in folders for model in load_all(folder))
    page = ROOT / "docs" / "results" / "README.md"
    page.write_text(pages.fill(page.read_text(encoding="utf-8"), texts), encoding="utf-8")
    print("\n\n".join(texts.values()))


if __name__ == "__main__":
    main()
