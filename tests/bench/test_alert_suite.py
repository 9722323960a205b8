"""The suite of the early warning: that a stored run is the live one, that its truth is true, that its score counts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from watching import same

from bench.alerts.report.describe import line
from bench.alerts.report.named import calibration, confusion, cost, factors, judged, ratios
from bench.alerts.report.tables import causes, curves, figures, sensitivity
from bench.alerts.scoring import baselines
from bench.alerts.scoring.baselines import falls_of_mean
from bench.alerts.scoring.replay import replay
from bench.alerts.scoring.score import score, tuning
from bench.alerts.scoring.tally import Warned, plain, tally
from bench.alerts.scoring.truth import LOOSE, events, smooth
from bench.alerts.training import catalogue, data, healthy, train
from bench.alerts.training.course import Course, Host, Setup, geometric
from bench.alerts.training.intervene import Worth, mutual_information, worth
from bench.alerts.training.models import GaussianVae, LinearVae, RowVae, Vae
from bench.alerts.training.record import FIELDS, Run, load
from polar_monitor.alerts.alert import Forecast

TINY = Setup(data="digits", latents=4, hidden=32, nominal=0.1, batch=64, steps=700, every=14, window=1024)


def ramp(host: Host, step: int) -> None:
    host.beta = geometric(host.setup.nominal, 40.0, (step - 300) / 300)


@pytest.fixture(scope="module")
def tiny() -> Run:
    """A small run that loses what it has."""
    return train.train(Course(TINY, ramp), "tiny-1", "tiny", 1, healthy=False)


def made(rise: Any, *, healthy: bool = False, warmup: int = 0, seed: int = 0, **host: Any) -> Run:
    """A run with the given rises (T, D), an evaluation every 10 steps from step 10 on, at a price of 1."""
    rise = np.asarray(rise, np.float64)
    steps = 10 * np.arange(1, len(rise) + 1)
    total = rise.sum(axis=1)
    flat = np.zeros(len(rise))
    truth = {"rise": rise, "rise_se": 0.01 * np.abs(rise), "total": total, "total_se": flat}
    truth |= {name: host.pop(name, flat) for name in ("mi", "validation")} | {"noise": host.pop("noise", flat + 1)}
    return Run(
        name=f"made-{seed}",
        kind="made",
        seed=seed,
        healthy=healthy,
        every=10,
        warmup=warmup,
        nominal=1.0,
        said="",
        seconds=0.0,
        recipe="",
        known=(),
        alerts=(),
        labels=np.zeros(rise.shape, np.int8),
        steps=steps,
        observed=steps,
        snapshots={"variance": host.pop("variance", np.ones(rise.shape))},
        host={"kl": flat, **host},
        truth=truth,
    )


STEADY = np.full(60, 5.0)
GONE = np.concatenate([np.full(30, 5.0), 5.0 * 0.74 ** np.arange(1, 31)])
"""At 90 % of the plateau for the last time at 29; 0.74^10 = 0.049 is the first below 5 % of it: lost at 39."""
BROKEN = np.concatenate([np.full(30, 5.0), np.zeros(30)])


# -- stored runs ----------------------------------------------------------------------------------------------------


def test_a_replay_gives_exactly_the_live_alerts_and_labels(tiny: Run, tmp_path: Path) -> None:
    tiny.save(tmp_path / "tiny.npz")
    again = load(tmp_path / "tiny.npz")
    alerts, labels = replay(again)
    assert {"fading", "lost", "collapse"} <= {str(alert.kind) for alert in tiny.alerts}
    assert same([a.to_dict() for a in alerts], [a.to_dict() for a in tiny.alerts])
    assert same([a.to_dict() for a in again.alerts], [a.to_dict() for a in tiny.alerts])
    np.testing.assert_array_equal(labels, tiny.labels)


def test_a_stored_run_is_the_run(tiny: Run, tmp_path: Path) -> None:
    tiny.save(tmp_path / "tiny.npz")
    again = load(tmp_path / "tiny.npz")
    for group in ("snapshots", "host", "truth"):
        assert getattr(tiny, group).keys() == getattr(again, group).keys()
        for name, values in getattr(tiny, group).items():
            np.testing.assert_array_equal(values, getattr(again, group)[name])
    assert set(again.snapshots) == {f.name for f in FIELDS}
    assert again.truth["rise"].shape == again.labels.shape == (50, 4)
    assert again.steps.tolist() == list(range(14, 701, 14))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".npz"]


def test_a_run_of_another_version_is_refused(tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.alerts.training.record.VERSION", 0)
    tiny.save(tmp_path / "old.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="delete it"):
        load(tmp_path / "old.npz")


def test_the_truth_leaves_training_and_monitor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    course = Course(replace(TINY, steps=112))
    with_it = train.train(course, "a", "a", 3, healthy=True)
    nothing = Worth(torch.zeros(4), torch.zeros(4), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    monkeypatch.setattr(train, "worth", lambda *_: nothing)
    without = train.train(course, "a", "a", 3, healthy=True)
    assert with_it.truth["reconstruction"].min() > 0
    for name, values in with_it.snapshots.items():
        np.testing.assert_array_equal(values, without.snapshots[name])
    np.testing.assert_array_equal(with_it.host["loss"], without.host["loss"])


def test_a_run_follows_from_its_seed() -> None:
    course = Course(replace(TINY, steps=60))
    one, two, other = (train.train(course, "a", "a", seed, healthy=True) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.truth["rise"], two.truth["rise"])
    assert (one.host["loss"] != other.host["loss"]).all()


def test_a_restart_goes_on_where_it_was() -> None:
    def killed(host: Host, step: int) -> None:
        if step == 67:
            before = {name: p.clone() for name, p in host.model.state_dict().items()}
            train.restart(host)
            assert all(torch.equal(before[name], p) for name, p in host.model.state_dict().items())

    run = train.train(Course(replace(TINY, steps=112), killed), "a", "a", 3, healthy=True)
    assert run.steps.tolist() == list(range(14, 113, 14))
    assert (run.observed == 14 * 64).all()


# -- the catalogue --------------------------------------------------------------------------------------------------


def test_the_catalogue_is_what_it_says() -> None:
    full, quick = catalogue.every(), catalogue.every(quick=True)
    assert len({entry.name for entry in full}) == len(full) >= 120
    assert {entry.name for entry in quick} == set(catalogue.QUICK)
    assert sum(entry.kind in healthy.HEALTHY for entry in full) * 2 >= len(full)
    assert sum(entry.kind in healthy.HEALTHY for entry in quick) * 2 == len(quick)
    assert len({entry.recipe for entry in full}) == len(catalogue.KINDS)


def test_only_what_is_missing_or_outdated_is_trained(
    tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalogue.every()[0]
    assert catalogue.kept(entry, tmp_path) is None
    replace(tiny, recipe=entry.recipe).save(tmp_path / f"{entry.name}.npz")
    found = list(catalogue.collect([entry], tmp_path, jobs=1))
    assert [run.name for run in found] == ["tiny-1"]
    replace(tiny, recipe="other").save(tmp_path / f"{entry.name}.npz")
    assert catalogue.kept(entry, tmp_path) is None
    assert len(list(catalogue.stored([entry], tmp_path))) == 1


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_kind_draws_courses_that_fit(kind: str) -> None:
    courses = [catalogue.KINDS[kind](np.random.default_rng([7, seed])) for seed in range(6)]
    assert len({course.setup for course in courses}) > 1
    for course in courses:
        assert 70 <= course.setup.steps / course.setup.every <= 270
        assert course.setup.warmup < 0.7 * course.setup.steps


# -- the interventions ----------------------------------------------------------------------------------------------


def test_the_gaussians_have_the_stated_spectrum() -> None:
    x = data.gaussians().double().numpy()
    found = np.sort(np.linalg.eigvalsh(x.T @ x / len(x)))[::-1]
    np.testing.assert_allclose(found[:8], data.SPECTRUM[::-1], rtol=1e-5)
    np.testing.assert_allclose(found[8:], 0.2, rtol=1e-4)


def test_the_worth_of_a_dimension_of_the_linear_optimum() -> None:
    """With z_j replaced, half the squared error rises by the slope's square times twice Var μ, over two."""
    lam, n = torch.tensor([9.0, 4.0, 0.5]), 3000
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0)) * lam.sqrt()
    model = LinearVae(3, 3, 0)
    slope = (lam - 1).clamp(min=0).sqrt()
    with torch.no_grad():
        model.fc_mu.weight.copy_(torch.diag(slope / lam.clamp(min=1)))
        model.fc_mu.bias.zero_()
        model.fc_logvar.bias.copy_(torch.log((1 / lam).clamp(max=1)))
        model.decoder.weight.copy_(torch.diag(slope))
        model.decoder.bias.zero_()
    found = worth(model, x, torch.Generator().manual_seed(1))
    expected = (lam - 1).clamp(min=0)
    assert torch.all((found.rise - expected).abs() <= 4 * found.rise_se + 1e-6)
    assert found.rise[2] == 0
    assert found.total == pytest.approx(float(expected.sum()), abs=4 * found.total_se)
    assert found.kl == pytest.approx(float(0.5 * torch.log(lam.clamp(min=1)).sum()), rel=0.02)
    assert model.training


def test_the_mutual_information_is_that_of_the_mixture_written_out() -> None:
    mean, logvar, z = (torch.randn(9, 3, generator=torch.Generator().manual_seed(i)) for i in range(3))
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))
    density = torch.stack([posterior.log_prob(row).sum(1) for row in z])
    slow = density.diagonal() - torch.log(density.exp().mean(1))
    assert mutual_information(mean, logvar, z) == pytest.approx(float(slow.mean()), abs=1e-5)


def test_no_pixel_is_given_itself_or_later_ones() -> None:
    model = RowVae(6, 2, 8)
    jacobian = torch.autograd.functional.jacobian(model.before, torch.rand(1, 6)).view(6, 6)
    assert torch.equal(jacobian.triu(), torch.zeros(6, 6))
    assert jacobian.tril(-1).abs().sum() > 0


def test_the_gaussian_decoder_is_a_normal_density() -> None:
    model, z, x = GaussianVae(6, 2, 8), torch.randn(5, 2), torch.rand(5, 6)
    normal = torch.distributions.Normal(torch.sigmoid(model.decoder(z)), math.exp(-2.0))
    torch.testing.assert_close(model.nats(z, x), -normal.log_prob(x).sum(1))


@pytest.mark.parametrize("turns", [1, 8])
def test_dimensions_that_trade_places_change_nothing_else(turns: int) -> None:
    torch.manual_seed(0)
    model, x = Vae(6, 3, 8), torch.rand(5, 6)
    host: Any = type("Host", (), {"model": model})
    mean, logvar = model.posterior(x)
    before = model.decoder(mean)
    for turn in range(turns):
        healthy._turn(host, [0, 2], math.pi / 2 / turns, swap=turn == turns // 2)
    after, spread = model.posterior(x)
    torch.testing.assert_close(model.decoder(after), before)
    torch.testing.assert_close(after[:, [0, 2]], torch.stack([-mean[:, 2], mean[:, 0]], 1))
    torch.testing.assert_close(spread, logvar[:, [2, 1, 0]])


# -- events ---------------------------------------------------------------------------------------------------------


def test_smooth_is_a_running_median() -> None:
    assert smooth(np.array([1.0, 9.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0, 3.0]


def test_onset_and_loss_of_an_exponential_decay() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    found = events(run)
    assert [(loss.dimension, loss.onset, loss.at, loss.sudden) for loss in found.losses] == [(0, 29, 39, False)]
    assert found.losses[0].plateau == 5.0
    assert found.collapse is None
    assert found.used[38].tolist() == [True, True]
    assert found.used[39:].tolist() == [[False, True]] * 21


def test_a_break_is_a_sudden_loss_and_of_everything_a_collapse() -> None:
    found = events(made(np.stack([BROKEN, BROKEN], 1)))
    assert [(loss.onset, loss.at, loss.sudden) for loss in found.losses] == [(29, 30, True)] * 2
    assert found.collapse == 30


def test_what_becomes_nan_is_lost() -> None:
    rise = np.where(np.arange(60)[:, None] < 30, 5.0, np.nan)
    assert [loss.at for loss in events(made(rise)).losses] == [30]


@pytest.mark.parametrize(
    "rise",
    [
        np.full(60, 0.3),
        np.where(np.arange(60) < 4, 5.0, 0.0),
        np.where((np.arange(60) >= 30) & (np.arange(60) < 38), 0.0, 5.0),
        np.linspace(5.0, 1.0, 60),
    ],
    ids=["little", "short", "back after eight", "less"],
)
def test_what_is_no_loss(rise: Any) -> None:
    assert events(made(rise[:, None])).losses == ()


def test_a_dimension_can_come_back_and_be_lost_again() -> None:
    rise = np.tile(np.repeat([5.0, 0.0], 15), 2)
    assert [loss.at for loss in events(made(rise[:, None])).losses] == [15, 45]


def test_what_happens_in_the_warm_up_does_not_count() -> None:
    assert events(made(GONE[:, None], warmup=450)).losses == ()


def test_the_loose_cuts_see_little_ones_too() -> None:
    run = made(0.1 * GONE[:, None])
    assert events(run).losses == ()
    assert len(events(run, LOOSE).losses) == 1


# -- the score ------------------------------------------------------------------------------------------------------


def at(place: int) -> int:
    """The step of an evaluation."""
    return 10 * (place + 1)


@pytest.mark.parametrize(
    ("alarm", "lead"),
    [
        (Warned("fading", at(29), 0), 1.0),
        (Warned("fading", at(25), 0), 1.0),
        (Warned("fading", at(35), 0), 0.4),
        (Warned("drain", at(35)), 0.4),
        (Warned("alarm", at(37)), 0.2),
        (Warned("fading", at(39), 0), math.nan),
        (Warned("fading", at(20), 0), math.nan),
        (Warned("fading", at(35), 1), math.nan),
        (Warned("lost", at(35), 0), math.nan),
    ],
)
def test_the_lead_of_a_warning(alarm: Warned, lead: float) -> None:
    found = tally(made(np.stack([GONE, STEADY], 1)), [alarm])
    assert found.leads == pytest.approx([lead], nan_ok=True)
    assert found.own == [alarm.kind == "fading" and not math.isnan(lead)]


def test_the_first_warning_counts() -> None:
    alarms = [Warned("drain", at(36)), Warned("fading", at(32), 0)]
    assert tally(made(GONE[:, None]), alarms).leads == pytest.approx([0.7])


@pytest.mark.parametrize(("place", "told"), [(29, True), (30, True), (31, True), (32, False), (20, False)])
def test_a_sudden_loss_is_told_within_one_evaluation(place: int, told: bool) -> None:
    found = tally(made(np.stack([BROKEN, STEADY], 1)), [Warned("lost", at(place), 0)])
    assert found.told == [told]
    assert found.leads == []


@pytest.mark.parametrize(
    ("alarm", "false"),
    [
        (Warned("fading", at(20), 0), 1),
        (Warned("fading", at(33), 1), 1),
        (Warned("fading", at(33), 0), 0),
        (Warned("drain", at(33)), 0),
        (Warned("drain", at(50)), 1),
        (Warned("lost", at(50), 1), 0),
    ],
)
def test_an_alarm_about_nothing_is_false(alarm: Warned, false: int) -> None:
    assert tally(made(np.stack([0.15 * GONE, STEADY], 1), healthy=True), [alarm]).false == false


def test_a_collapse_is_false_where_dimensions_are_in_use_or_come_into_use() -> None:
    late = np.where(np.arange(60) < 30, 0.0, 5.0)[:, None]
    assert tally(made(late), [Warned("collapse", at(10))]).false_collapse == 1
    assert tally(made(GONE[:, None]), [Warned("collapse", at(36))]).false_collapse == 0
    assert tally(made(np.zeros((60, 1))), [Warned("collapse", at(10))]).false_collapse == 0


def test_a_loss_that_is_told_and_is_none_is_false() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    (loss,) = events(run).losses
    assert tally(run, [Warned("lost", at(loss.at + 10), 0)]).false_lost == 0
    assert tally(run, [Warned("lost", at(loss.at + 10), 1)]).false_lost == 1
    assert tally(run, [Warned("lost", at(loss.at - 21), 0)]).false_lost == 1


def test_a_posterior_that_became_a_point_has_to_be_told() -> None:
    point = made(STEADY[:, None], noise=np.where(np.arange(60) < 40, 1.0, 0.001))
    told = Warned("variance_collapse", at(45))
    assert events(point).sharp == 40
    assert tally(point, [told]).sharp == [True]
    assert tally(point, []).sharp == [False]
    assert tally(made(STEADY[:, None]), [told]).sharp == [False]
    assert tally(made(STEADY[:, None]), []).sharp == []
    assert events(made(BROKEN[:, None], noise=np.where(np.arange(60) < 40, 1.0, 0.001))).sharp is None


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        (at(36), at(40), True),
        (at(39), None, True),
        (at(30), at(38), False),
        (at(30), at(38) + 1, True),
        (at(39) + 1, 500, False),
    ],
)
def test_a_forecast_holds_the_loss_or_does_not(low: int, high: int | None, holds: bool) -> None:
    alarm = Warned("fading", at(33), 0, Forecast(at(36), low, high))
    assert tally(made(GONE[:, None]), [alarm]).held == [holds]


def test_figures_are_those_counted_by_hand() -> None:
    gone, calm = made(np.stack([GONE, STEADY], 1)), made(STEADY[:, None], healthy=True, seed=1)
    tallies = [tally(gone, [Warned("fading", at(35), 0)]), tally(gone, []), tally(calm, [Warned("drain", at(9))])]
    found = score([*tallies, tally(calm, [])])
    assert found["losses warned of"].value == 0.5
    assert found["median lead"].value == pytest.approx(0.5 * 0.4)
    assert found["false per 10 healthy"].value == 5.0
    assert found["false per 10 collapsing"].value == 0.0
    assert found["losses warned of"].cases == 2
    assert str(found["sudden told"]) == "–"
    assert found["losses warned of"].low == 0.0
    assert found["losses warned of"].high == 1.0


def test_a_forecast_is_compared_with_the_loss(tiny: Run) -> None:
    found = list(ratios([tiny]))
    losses = {loss.dimension: loss.at for loss in events(tiny, LOOSE).losses}
    fading = [alert for alert in replay(tiny)[0] if alert.kind == "fading" and alert.dimension in losses]
    assert 1 <= len(found) <= len(fading)
    first = fading[0]
    assert first.forecast is not None
    true = int(tiny.steps[losses[first.dimension or 0]]) - first.step
    ahead = max(first.forecast.step - first.step, tiny.every)
    assert any(there == pytest.approx(true / ahead) for _, there, _ in found)
    assert all(before < there for _, there, before in found)


def test_the_halves_are_by_seed() -> None:
    assert [tuning(made(GONE[:, None], seed=seed)) for seed in range(4)] == [True, False, True, False]


# -- baselines ------------------------------------------------------------------------------------------------------


def test_every_baseline_alarms_at_the_place_worked_out_by_hand() -> None:
    kl = np.where(np.arange(60) < 40, 10.0, 1.0)
    variance = np.where(np.arange(60)[:, None] < [40, 50, 60], 1.0, 0.001)
    loss = np.concatenate([np.linspace(5, 4, 30), np.full(30, 4.5)])
    run = made(np.ones((60, 3)), kl=kl, variance=variance, mi=kl, validation=loss)
    assert baselines.active_units(run, 1) == [40, 50]
    assert baselines.active_units(run, 2) == [50]
    assert baselines.kl_floor(run, 2.0) == [40]
    assert baselines.validation_mi(run, 0.0) == [40]
    assert baselines.validation_mi(run, 0.95) == []
    assert baselines.early_stopping(run, 5) == [34]
    assert baselines.page_hinkley(run, 20.0) == [42]
    late = replace(run, warmup=455)
    assert baselines.kl_floor(late, 2.0) == [45]
    assert baselines.validation_mi(late, 0.0) == []


def test_an_alarm_comes_again_only_after_a_recovery() -> None:
    kl = np.array([3.0, 1.0, 1.0, 3.0, 1.0])
    assert baselines.kl_floor(made(np.ones((5, 1)), kl=kl), 2.0) == [1, 4]


def test_page_hinkley_is_river_s() -> None:
    from river import drift

    rng = np.random.default_rng(0)
    series = np.concatenate([rng.normal(5, 1, 100), rng.normal(2, 1, 100), rng.normal(0, 1, 100)])
    detector = drift.PageHinkley(min_instances=30, delta=0.005, threshold=20.0, alpha=1.0, mode="down")
    found = []
    for t, x in enumerate(series.tolist()):
        detector.update(x)
        if detector.drift_detected:
            found.append(t)
    assert found == falls_of_mean(series, 20.0)
    assert len(found) >= 2


# -- tables ---------------------------------------------------------------------------------------------------------


def test_the_tables_have_every_rule_and_kind(tiny: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.alerts.scoring.score.DRAWS", 20)
    runs = [tiny, replace(tiny, kind="calm", healthy=True, seed=2)]
    assert figures(runs).count("| Polar Monitor |") == 3
    assert all(name in curves(runs) for name in baselines.BASELINES)
    assert causes(runs).count("\n| ") == 1 + 2
    assert sensitivity(runs).count("\n| ") == 1 + 10
    assert "| made |" not in confusion(runs)
    assert "| tiny | FADING |" in confusion(runs)
    warned = [alert for alert in tiny.alerts if alert.kind in ("fading", "drain", "collapse", "lost")]
    ramp = [replace(tiny, kind="beta_ramp")]
    assert f"| held-out | nothing | {len(warned)} |" in judged(ramp)
    assert judged(runs).count("\n") == 2
    assert calibration(runs).count("\n| ") == 1 + 4
    assert factors(runs).count("\n| ") >= 1
    assert "64 dimensions of tiny-1" in cost(tiny, 64)
    assert line(tiny).startswith("tiny-1")
    assert "COLLAPSE" in line(tiny)
    assert len(plain(tiny.alerts)) == len(tiny.alerts)
