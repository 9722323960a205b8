"""The named cause: only where the numbers separate the causes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from alert_histories import RULES, run
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import CAUSE_ADVICE, KIND_ADVICE, Cause
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.context import NOTHING, Context
from polar_monitor.errors import PolarMonitorError
from polar_monitor.regime.judge import judge

Moments = Callable[[int], tuple[float, float]]
Logged = Callable[[int], Context]


def fading(
    moments: Moments,
    kl_left: float = 0.0,
    logged: Logged = lambda t: NOTHING,
    gap: float = 0.01,
    mean: float = 0.0,
    every: int = 25,
    window: int = 25,
) -> list[Alert]:
    """Alerts of three Gaussian dimensions whose Var μ and mean σ² at evaluation t are `moments(t)`."""
    engine, regime, alerts = AlertEngine(), None, []
    for t in range(60):
        V, E = (np.full(3, moment) for moment in moments(t))
        nats = 0.5 * np.log1p(V / E)
        step = every * (t + 1)
        snapshot = make_snapshot(step, [PASSIVE] * 3, information=nats.tolist(), bins=4)
        snapshot = replace(snapshot, variance=V, posterior_variance=E, mean=np.full(3, mean), kl=nats + kl_left)
        snapshot = replace(snapshot, rows_from=max(step - window, 0), rows_to=step)
        snapshot = replace(snapshot, information_upper=nats + 0.001, variance_gap=np.full(3, gap))
        regime = judge(snapshot, regime)
        alerts += engine.evaluate(Observation(snapshot.step, 2400, snapshot, regime, logged(t)), RULES)
    return alerts


def causes(alerts: list[Alert], kind: AlertKind) -> set[tuple[str, ...]]:
    return {alert.causes for alert in alerts if alert.kind is kind}


def gone(t: int, rate: float) -> float:
    return float(np.exp(-rate * max(t - 20, 0)))


@pytest.mark.parametrize(
    ("moments", "cause"),
    [
        (lambda t: (1.0 - min(0.05 / gone(t, 0.09), 1.0) + 1e-6, min(0.05 / gone(t, 0.09), 1.0)), Cause.NOISE_GROWS),
        (lambda t: (0.95 * gone(t, 0.18), 0.05), Cause.MEANS_SHRINK),
    ],
    ids=["the noise grows", "the means shrink"],
)
def test_the_cause_is_named(moments: Moments, cause: Cause) -> None:
    alerts = fading(moments)
    for kind in (AlertKind.FADING, AlertKind.DRAIN, AlertKind.LOST, AlertKind.COLLAPSE):
        assert causes(alerts, kind) == {(CAUSE_ADVICE[cause].explanation,)}
    assert all(alert.advice[0] == CAUSE_ADVICE[cause].remedy for alert in alerts)


def noisier(t: int) -> tuple[float, float]:
    """The noise of the posterior grows little by little from evaluation 20 on."""
    return 1.0 - min(0.05 / gone(t, 0.09), 1.0) + 1e-6, min(0.05 / gone(t, 0.09), 1.0)


def noisier_means(t: int) -> tuple[float, float]:
    """The same with means that shrink more than the noise grows."""
    left = gone(t, 0.05)
    return 0.7 * left, 1.0 - 0.7 * left


def at_once(t: int) -> tuple[float, float]:
    """The same within one evaluation, and not to the end."""
    return (0.95, 0.05) if t < 20 else (0.5, 0.5)


@pytest.mark.parametrize(
    ("moments", "logged", "cause"),
    [
        (noisier, lambda t: Context(beta=0.5 / gone(t, 0.05)), Cause.BETA_RISES),
        (noisier, lambda t: Context(beta=0.5, reconstruction=70.0 - 0.1 * t), Cause.POWERFUL_DECODER),
        (noisier, lambda t: Context(reconstruction=70.0 - 0.1 * t), Cause.POWERFUL_DECODER),
        (noisier, lambda t: Context(beta=0.5, reconstruction=70.0 / gone(t, 0.01)), Cause.RECONSTRUCTION_COUNTS_LESS),
        (noisier, lambda t: Context(beta=0.5), Cause.NOISE_GROWS),
        (noisier, lambda t: Context(reconstruction=70.0 / gone(t, 0.01)), Cause.NOISE_GROWS),
        (noisier, lambda t: Context(0.5, 1e-3 if t < 20 else 1e-2, 70.0), Cause.LEARNING_RATE_RISES),
        (noisier, lambda t: Context(0.5, 1e-3 if t < 20 else 1e-4, 70.0), Cause.POWERFUL_DECODER),
        (at_once, lambda t: Context(beta=0.5 if t < 20 else 5.0), Cause.BETA_RISES),
        (at_once, lambda t: Context(beta=0.5, reconstruction=70.0 if t < 20 else 1.1), Cause.RECONSTRUCTION_RESCALED),
        (at_once, lambda t: Context(beta=0.5, reconstruction=70.0), Cause.ALL_AT_ONCE),
    ],
)  # fmt: skip
def test_what_the_loop_logs_separates_the_causes(moments: Moments, logged: Logged, cause: Cause) -> None:
    alerts = fading(moments, logged=logged)
    assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[cause].explanation,)}


def test_what_the_loop_logs_changes_no_cause_that_the_latents_show() -> None:
    alerts = fading(lambda t: (0.95 * gone(t, 0.18), 0.05), logged=lambda t: Context(0.5, 1e-3, 70.0 + t))
    assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.MEANS_SHRINK].explanation,)}


def shrinking(t: int) -> tuple[float, float]:
    """The means shrink little by little from evaluation 20 on, and the noise stays."""
    return 0.95 * gone(t, 0.18), 0.05


@pytest.mark.parametrize(
    ("logged", "cause"),
    [
        (lambda t: Context(weight_decay=0.01), Cause.MEANS_SHRINK),
        (lambda t: Context(weight_decay=0.0), None),
        (lambda t: Context(1.0, 1e-3, 70.0 - 0.1 * t, weight_decay=0.0), Cause.POWERFUL_DECODER),
        (lambda t: Context(1.0, 1e-3, 70.0 - 0.1 * t, weight_decay=0.01), Cause.POWERFUL_DECODER),
        (lambda t: Context(1.0, 1e-3, 70.0 / gone(t, 0.05), weight_decay=0.01), Cause.MEANS_SHRINK),
        (lambda t: Context(1.0, 1e-3, 70.0 / gone(t, 0.05), weight_decay=0.0), Cause.RECONSTRUCTION_COUNTS_LESS),
        (lambda t: Context(0.5 / gone(t, 0.05), weight_decay=0.01), Cause.BETA_RISES),
    ],
)
def test_what_the_loop_tells_counts_also_where_the_means_shrink(logged: Logged, cause: Cause | None) -> None:
    alerts = fading(shrinking, logged=logged)
    for kind in (AlertKind.FADING, AlertKind.DRAIN, AlertKind.LOST, AlertKind.COLLAPSE):
        texts = KIND_ADVICE[kind].causes if cause is None else (CAUSE_ADVICE[cause].explanation,)
        assert causes(alerts, kind) == {texts}


def test_noise_that_grows_for_some_inputs_only_is_of_units_that_die() -> None:
    """Whatever the loop logs, but a β that rises."""
    for logged in (lambda t: NOTHING, lambda t: Context(beta=0.5, reconstruction=70.0 / gone(t, 0.01))):
        alerts = fading(noisier, logged=logged, gap=0.2)
        assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.UNITS_DIE].explanation,)}
        (first,) = (alert for alert in alerts if alert.kind is AlertKind.FADING)
        assert first.forecast is not None and first.forecast.low == first.step + 1  # they die one by one
    alerts = fading(noisier, logged=lambda t: Context(beta=0.5 / gone(t, 0.05)), gap=0.2)
    assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.BETA_RISES].explanation,)}


def test_a_window_across_a_change_is_no_sign_of_units_that_die() -> None:
    """The variances of before and after a change differ in a window that holds both."""
    alerts = fading(noisier, gap=0.2, window=1000)
    assert causes(alerts, AlertKind.FADING) == {KIND_ADVICE[AlertKind.FADING].causes}


def test_a_code_whose_means_shrink_as_the_noise_grows_goes_to_the_prior() -> None:
    """Whichever moves more, and V + E stays: no weight decay does that."""
    for decay in (0.0, 0.01):
        alerts = fading(noisier_means, logged=lambda t: Context(weight_decay=decay))  # noqa: B023
        assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.NOISE_GROWS].explanation,)}


def test_an_encoder_that_is_thrown_off_has_no_cause_of_the_loss() -> None:
    """The means of the dimensions are away from 0: the KL term does the opposite."""
    alerts = fading(noisier, mean=1.0)
    assert causes(alerts, AlertKind.FADING) == {KIND_ADVICE[AlertKind.FADING].causes}


def test_a_rate_that_was_high_and_is_low_again_is_named() -> None:
    alerts = fading(noisier, logged=lambda t: Context(0.5, 1e-2 if 21 <= t < 24 else 1e-3, 70.0))
    assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.LEARNING_RATE_RISES].explanation,)}


def test_dimensions_that_begin_to_fall_at_once_fell_at_once() -> None:
    """Half of the information goes within two evaluations, too little in each for a plunge."""
    alerts = fading(lambda t: noisier(t) if t < 20 else noisier(min(20 + 12 * (t - 19), 45)), every=10)
    assert causes(alerts, AlertKind.FADING) == {(CAUSE_ADVICE[Cause.ALL_AT_ONCE].explanation,)}


def test_one_odd_batch_does_not_hide_the_decoder() -> None:
    """The term of the evaluation with the alert is above all others; the mean of the latest ones is not."""
    step = next(alert.step for alert in fading(noisier) if alert.kind is AlertKind.FADING)

    def logged(t: int) -> Context:
        return Context(reconstruction=70.0 - t + 7.0 * (25 * (t + 1) == step))

    assert causes(fading(noisier, logged=logged), AlertKind.FADING) == {
        (CAUSE_ADVICE[Cause.POWERFUL_DECODER].explanation,)
    }


def dying(t: int) -> tuple[float, float]:
    """The means shrink, and are constant from evaluation 28 on."""
    return (0.95 * gone(t, 0.18), 0.05) if t < 28 else (1e-6, 0.05)


def test_means_that_still_vary_are_no_dead_encoder() -> None:
    """At the loss the means are 8 % of the variance of the code."""
    alerts = fading(shrinking, kl_left=1.0, logged=lambda t: Context(weight_decay=0.0))
    assert causes(alerts, AlertKind.LOST) == {KIND_ADVICE[AlertKind.LOST].causes}


def test_a_dead_encoder_is_away_from_the_prior() -> None:
    """Where nothing else is known to shrink the means."""
    shrunk = {(CAUSE_ADVICE[Cause.MEANS_SHRINK].explanation,)}
    assert causes(fading(dying, kl_left=1.0), AlertKind.COLLAPSE) == shrunk
    assert causes(fading(dying, logged=lambda t: Context(weight_decay=0.0)), AlertKind.LOST) == {
        KIND_ADVICE[AlertKind.LOST].causes
    }
    alerts = fading(dying, kl_left=1.0, logged=lambda t: Context(weight_decay=0.0))
    assert (
        causes(alerts, AlertKind.LOST)
        == causes(alerts, AlertKind.COLLAPSE)
        == {(CAUSE_ADVICE[Cause.DEAD_ENCODER].explanation,)}
    )


def test_an_encoder_that_dies_away_from_the_prior_is_dead_whatever_is_known() -> None:
    """A penalty would pull its means to 0; here they stop elsewhere."""
    for decay in (math.nan, 0.0, 0.01):
        told = NOTHING if math.isnan(decay) else Context(weight_decay=decay)
        alerts = fading(dying, kl_left=1.0, mean=1.5, logged=lambda t: told)  # noqa: B023
        for kind in (AlertKind.LOST, AlertKind.COLLAPSE):
            assert causes(alerts, kind) == {(CAUSE_ADVICE[Cause.DEAD_ENCODER].explanation,)}


def test_means_below_an_exploding_noise_are_not_constant() -> None:
    """They vary as before, though the noise makes them a small share of the code."""
    alerts = fading(lambda t: (0.95, 0.05 / gone(t, 0.2)), kl_left=5.0)
    lost = {alert.causes for alert in alerts if alert.kind in (AlertKind.LOST, AlertKind.COLLAPSE)}
    assert lost
    assert (CAUSE_ADVICE[Cause.DEAD_ENCODER].explanation,) not in lost


def test_no_cause_is_named_where_both_moments_move() -> None:
    """Means and noise both fall, and the means a little more."""
    alerts = fading(lambda t: (0.95 * gone(t, 0.1) ** 0.5, 0.05 / gone(t, 0.1) ** 0.4))
    assert causes(alerts, AlertKind.FADING) == {KIND_ADVICE[AlertKind.FADING].causes}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fall": 0.0}, "fall: expected a share"),
        ({"plunge": 1.0}, "plunge: expected a share"),
        ({"drain": float("nan")}, "drain: expected a share"),
        ({"worth": -1.0}, "worth: expected 0 or more"),
        ({"horizon_steps": float("nan")}, "horizon_steps: expected 0 or more"),
        ({"patience_windows": True}, "patience_windows: expected a number"),
        ({"kinds": frozenset({"x"})}, "kinds: expected some of"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        AlertRules(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "line"),
    [
        (
            {"horizon": 30},
            r"horizon: expected horizon_steps, .* AlertRules\(horizon_steps=750\) for 30 evaluations",
        ),
        ({"patience": 2, "worth": 0.5}, r"write AlertRules\(patience_windows=1\)"),
        ({"collapsed": "x"}, r"write AlertRules\(collapsed_steps=…\)"),
    ],
)
def test_a_field_that_counted_evaluations_is_refused_with_its_name_of_today(old: dict[str, object], line: str) -> None:
    with pytest.raises(PolarMonitorError, match=line):
        AlertRules(**old)  # type: ignore[arg-type]


def test_every_kind_and_every_cause_has_its_texts() -> None:
    assert set(KIND_ADVICE) == set(AlertKind)
    assert list(CAUSE_ADVICE) == list(Cause)
    assert all(text for cause in Cause if cause for text in CAUSE_ADVICE[cause])
    assert len({one.explanation for one in CAUSE_ADVICE.values()}) == len(Cause)


@pytest.mark.parametrize("every", [10, 20, 40, 50, 100, 200])
def test_a_steady_fall_is_never_sudden(every: int) -> None:
    """All dimensions lose 0.4 % a step from step 1000 on, however often one looks."""
    steps = range(every, 1800, every)
    history = [2.0 * math.exp(-0.004 * max(step - 1000, 0)) for step in steps]
    alerts = run([history, history, history], every=every, rows=96 * every)
    assert alerts
    sudden = CAUSE_ADVICE[Cause.ALL_AT_ONCE].explanation
    assert not any(sudden in cause for alert in alerts for cause in alert.causes)
