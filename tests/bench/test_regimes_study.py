"""The study of trained models: its statistics against slow twins, and its committed tables against their own data."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import polar_monitor
from bench import zoo
from bench.regimes.report import collect, pages
from bench.regimes.scoring import (
    columns,
    coupling,
    dimensions,
    intervals,
    laws,
    passive,
    power,
    separation,
    thresholds,
    verdicts,
)
from bench.regimes.training import grid, train
from bench.regimes.training.materials import SPECTRUM
from polar_monitor.regime.information import by_information

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
DATA = RESULTS / "data"


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (7, 7), (3, 7), (190, 200), (1, 1)])
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    ours = intervals.wilson(successes, trials)
    assert ours.value == successes / trials
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def slow_bootstrap(hits: list[float], models: list[str], families: list[str], resamples: int) -> tuple[float, float]:
    """One loop a resample, one draw a model of a family, all dimensions of a drawn model appended."""
    rng, means = np.random.default_rng(1), []
    for _ in range(resamples):
        drawn: list[float] = []
        for family in sorted(set(families)):
            names = sorted({m for m, f in zip(models, families, strict=True) if f == family})
            for name in rng.choice(names, len(names)):
                drawn += [hit for hit, m in zip(hits, models, strict=True) if m == name]
        means.append(sum(drawn) / len(drawn))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def test_bootstrap_resamples_models_within_families_as_its_slow_twin_does() -> None:
    rng = np.random.default_rng(0)
    models = [f"m{k}" for k in range(12) for _ in range(3 + k % 4)]
    families = ["a" if int(m[1:]) < 7 else "b" for m in models]
    hits = [float(rng.random() < (0.9 if f == "a" else 0.3)) for f in families]
    ours = intervals.bootstrap(np.array(hits), np.array(models), np.array(families))
    low, high = slow_bootstrap(hits, models, families, 3000)
    assert ours.value == pytest.approx(np.mean(hits))
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.02)


def test_dimensions_of_one_model_are_no_independent_evidence() -> None:
    many = intervals.bootstrap(np.repeat([0.0, 1.0], 500), np.repeat(["m", "n"], 500), np.repeat("f", 1000))
    assert (many.low, many.high) == (0.0, 1.0)
    apart = intervals.bootstrap(np.repeat([0.0, 1.0], 500), np.repeat(["m", "n"], 500), np.repeat(["f", "g"], 500))
    assert (apart.low, apart.high) == (0.5, 0.5)


@given(st.integers(0, 2**32 - 1))
def test_area_under_the_curve_is_the_share_of_ordered_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value, positive = rng.integers(0, 5, 20).astype(float), rng.random(20) < 0.4
    pairs = [(v > w) + 0.5 * (v == w) for v in value[positive] for w in value[~positive]]
    found = separation.auc(value, positive)
    assert found == pytest.approx(np.mean(pairs)) if pairs else math.isnan(found)


def test_every_kind_of_model_has_every_seed_and_none_that_a_number_was_set_by() -> None:
    seeds: dict[str, set[int]] = {}
    for spec in grid.full():
        seeds.setdefault(spec.name.rpartition("_")[0], set()).add(spec.seed)
    assert set(map(frozenset, seeds.values())) == {frozenset(grid.REPORTED)}
    assert not set(grid.REPORTED) & set(range(6))


def test_the_chosen_cut_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    c = {"variance": rng.random(60)}
    truth = np.where(c["variance"] + 0.3 * rng.normal(size=60) > 0.5, "active", "passive")
    cut = thresholds.choose_one_cut(c, "Var μ", truth)
    hits = (thresholds.one_cut(c, "Var μ", cut) == truth).sum()
    assert hits == max((thresholds.one_cut(c, "Var μ", x) == truth).sum() for x in np.linspace(-0.1, 1.1, 3000))


def test_an_excess_beyond_its_error_is_a_violation() -> None:
    seen = dimensions.snapshot(*laws.mixed(0.5)(np.random.default_rng(0), 2048, 4))
    names = (*dimensions.STATISTICS, "kl_se", "ties")
    t = {n: np.stack([getattr(seen, n)] * 3) for n in names} | {"step": np.arange(3.0)}
    model = SimpleNamespace(name="m", family="f", trajectory=t, logvar=np.zeros(1))
    row = coupling.checked(model)  # type: ignore[arg-type]
    assert [row[f"{bound}_violated"] for bound in coupling.BOUNDS] == [0] * 5
    assert [row[f"{bound}_checked"] for bound in coupling.BOUNDS] == [12] * 5
    t["information"] = t["information_upper"] + 5 * t["information_se"]
    t["entropy_knn"] = t["entropy_knn"] + 10.0
    row = coupling.checked(model)  # type: ignore[arg-type]
    assert [row[f"{bound}_violated"] for bound in coupling.BOUNDS] == [12, 12, 0, 12, 0]


def test_the_movement_of_a_code_between_steps_is_part_of_the_variance_that_bounds_its_entropy() -> None:
    monitor = polar_monitor.PolarMonitor(sinks=(), every=1, max_overhead=1.0, strict=True)
    rng = torch.Generator().manual_seed(0)
    for step in range(40):
        monitor.observe(0.1 * torch.randn(64, 2, generator=rng) + step / 8)
        monitor.step()
    monitor.evaluate()
    found = monitor.snapshot()
    assert found is not None
    names = ("variance", "drift", "entropy_knn", "entropy_knn_se", "information", "information_se", "ties")
    t = {name: np.stack([getattr(found, name)]) for name in names}
    excess, error = coupling.excesses(t, False)["h_variance"]
    assert (excess <= 4 * error).all()
    excess, error = coupling.excesses(t | {"drift": np.zeros((1, 2))}, False)["h_variance"]
    assert (excess > 4 * error).all()


def test_where_values_repeat_the_other_rows_have_a_bound_of_their_own() -> None:
    """Two fifths of the inputs are one blank image, and have one mean."""
    rng = np.random.default_rng(0)
    mean = np.where(rng.random((4096, 1)) < 0.4, 0.0, rng.normal(size=(4096, 1)))
    found = dimensions.snapshot(mean, np.full(mean.shape, 0.5))
    t = {name: np.stack([getattr(found, name)]) for name in (*dimensions.STATISTICS, "kl_se", "ties")}
    excess, error = coupling.excesses(t, True)["h_variance"]
    assert abs(excess[0, 0]) < 4 * error[0, 0]
    excess, error = coupling.excesses(t | {"ties": np.zeros((1, 1))}, True)["h_variance"]
    assert excess[0, 0] > 4 * error[0, 0]


def test_pairs_differ_in_the_variance_alone() -> None:
    for name, both in power.PAIRS.items():
        means = [draw(np.random.default_rng(0), 4096, 8)[0] for draw in both]
        assert np.abs(np.quantile(means[0], [0.1, 0.5, 0.9]) - np.quantile(means[1], [0.1, 0.5, 0.9])).max() < 0.1, name


@cache
def page(name: str) -> str:
    return (RESULTS / name).read_text(encoding="utf-8")


@cache
def texts(part: str) -> dict[str, str]:
    return pages.TABLES[part](DATA)


@pytest.mark.parametrize("part", pages.TABLES)
def test_every_table_is_what_its_data_give(part: str) -> None:
    for name, text in texts(part).items():
        assert pages.between(page(pages.page_of(name)), name) == text, name


def test_labels_are_what_the_stored_latents_give() -> None:
    with np.load(DATA / collect.LATENTS) as file:
        name, regime = str(file["name"]), polar_monitor.classify(file["mean"], logvar=file["logvar"])
    c = columns.read(DATA / collect.DIMENSIONS)
    rows = columns.where(c, c["model"] == name)
    assert rows["by_ours"].tolist() == [str(label) for label in regime.labels]
    assert regime.snapshot is not None
    np.testing.assert_allclose(rows["information"], regime.snapshot.information, rtol=1e-4, atol=1e-6)


def test_one_pair_and_one_rate_are_found_again() -> None:
    stored, again = columns.read(DATA / collect.PAIRS), power.pairs()
    for i, row in enumerate(again):
        assert row["pair"] == stored["pair"][i]
        for name in ("ours_active", "ours_mixed", "mean_only_active", "mean_only_mixed", "within"):
            assert abs(row[name] - stored[name][i]) <= 2, name
        assert row["entropy_mixed"] == pytest.approx(stored["entropy_mixed"][i], abs=0.01)
    curve = columns.read(DATA / collect.CURVE)
    for case, draw in (("7%", laws.mixed(0.07)), *power.HOMOGENEOUS.items()):
        rows = columns.where(curve, (curve["case"] == case) & (curve["window"] == 4096) & (curve["rule"] == "ours"))
        labels = by_information(dimensions.snapshot(*draw(np.random.default_rng(1), 4096, 100)))
        share = np.mean([str(label) == "mixed" for label in labels])
        assert share == pytest.approx(float(rows["mixed"][0] / rows["dimensions"][0]), abs=0.15), case


def judged(c: columns.Columns) -> tuple[list[tuple[str, str, str]], np.ndarray]:
    """Truth, live label and label of each dimension, and its information, both from the most informative one on."""
    order = np.argsort(c["information"])[::-1]
    labels = list(zip(*(np.asarray(c[name])[order].tolist() for name in ("truth", "live", "by_ours")), strict=True))
    return labels, np.asarray(c["information"], np.float64)[order]


def test_one_model_is_trained_and_judged_again() -> None:
    """Trainings differ between machines: this one and the stored one are near the optimum, known in closed form."""
    (spec,) = [s for s in grid.full() if s.name == "linear-vae_linear-gaussian_1_s12"]
    model = train.make(spec)
    optimum = np.sort(zoo.linear_optimum(SPECTRUM, spec.strength, 1.0).information)[::-1]
    expected = [("active",) * 3 if nats > 0 else ("passive",) * 3 for nats in optimum]
    made = list(dimensions.rows(model))
    stored = columns.where(c := columns.read(DATA / collect.DIMENSIONS), c["model"] == spec.name)
    for one in ({name: np.array([row[name] for row in made]) for name in made[0]}, stored):
        labels, information = judged(one)
        assert labels == expected
        np.testing.assert_allclose(information, optimum, atol=0.2)  # a rotation of two axes moves nats between them
        assert information.sum() == pytest.approx(optimum.sum(), abs=0.1)
    kept = columns.where(c := columns.read(DATA / collect.MODELS), c["model"] == spec.name)
    for row in (dimensions.verdict_row(model), {name: values[0] for name, values in kept.items()}):
        verdicts_of = row["truth"], row["verdict"], row["live"], row["kind"]
        assert verdicts_of == ("two groups", "polarised", "polarised", "VAEs")
    again = coupling.checked(model)
    assert all(again[f"{bound}_violated"] == 0 for bound in coupling.BOUNDS)
    assert all(again[f"{bound}_checked"] == again["snapshots"] * len(made) for bound in coupling.BOUNDS)


def test_a_linear_probe_of_the_digits_is_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed gives the same scores twice; made on any machine, or stored, scores keep to the same bounds."""
    monkeypatch.setitem(passive.PLANS, "digits", passive.PLANS["digits"]._replace(steps=300))
    monkeypatch.setitem(passive.REPEATS, "linear", 1)
    made, again = (passive.model_rows("digits", 0, ("linear",)) for _ in range(2))
    assert made == again
    assert [row.scaling for row in made] == ["raw", "standardised"]
    stored = [row for row in json.loads((DATA / collect.PASSIVE).read_text()) if row["data"] == "digits"]
    for row in [*map(asdict, made), *stored]:
        scores = row["scores"]
        assert scores["random"] == pytest.approx(0.1, abs=0.04)
        assert all(score > 2 * scores["random"] for arm, score in scores.items() if arm != "random")
        assert row["gain"] == pytest.approx(scores["all"] - scores["shuffled"], abs=1e-9)
        assert row["low"] <= row["gain"] <= row["high"]


def test_counts_by_hand() -> None:
    """Two cells counted here without any of the study's own code but the reader."""
    c = columns.read(DATA / collect.DIMENSIONS)
    standardised = set(c["model"][c["view"] == "given prior"])
    kept = [
        i for i in range(len(c["model"]))
        if c["truth"][i] != "unclear" and (c["model"][i] not in standardised or c["view"][i] == "given prior")
        and c["seed"][i] >= 2
    ]  # fmt: skip
    agree = sum(c["by_ours"][i] == c["truth"][i] for i in kept)
    line = next(row for row in page("README.md").splitlines() if row.startswith("| **ours** |"))
    assert line.split("|")[2].strip() == str(len(kept))
    assert line.split("|")[3].split()[0] == f"{100 * agree / len(kept):.1f}"
    models = columns.where(m := columns.read(DATA / collect.MODELS), m["seed"] >= 2)
    both = zip(models["verdict"].tolist(), models["truth"].tolist(), strict=True)
    right = sum(verdict in verdicts.MEANT[truth] for verdict, truth in both)
    assert f"conditional | {len(models['raw'])} | {100 * right / len(models['raw']):.1f} (" in page("README.md")


def test_no_bound_is_violated() -> None:
    c = columns.read(DATA / collect.BOUNDS)
    assert c["snapshots"].sum() > 1000
    assert all(c[f"{bound}_violated"].sum() == 0 for bound in coupling.BOUNDS)


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for path in RESULTS.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert link.startswith("http") or (path.parent / link).exists(), f"{path.name}: {link}"
