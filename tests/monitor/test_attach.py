"""Bad arguments get one clear error, at once."""

from __future__ import annotations

import inspect
import pydoc
import re
import warnings
from typing import Any

import pytest
import torch
from models import Vae, train
from torch import nn
from watching import watched

import polar_monitor
from polar_monitor import AlertRules, PolarMonitor, PolarMonitorError
from polar_monitor.alerts.alert import AlertKind
from polar_monitor.capture.tap import Tap


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every: expected a whole number of 1 or more, got 0"),
        ({"every": 2.5}, "every: expected a whole number"),
        ({"window": 100}, "window: expected a whole number of 512 or more"),
        ({"warmup": -1}, "warmup"),
        ({"max_overhead": 0}, "max_overhead: expected a share"),
        ({"max_overhead": 3}, "max_overhead"),
        ({"start_allowance": -1.0}, "start_allowance: expected seconds"),
        ({"start_allowance": float("inf")}, "start_allowance"),
        ({"start_allowance": "1"}, "start_allowance"),
        ({"log_every": 0}, "log_every: expected a whole number"),
        ({"every": 5, "log_every": 5}, "log_every: expected None beside every=5"),
        ({"modes": "train"}, "modes: expected a tuple, as in .* got the string 'train'"),
        ({"modes": ("test",)}, "modes"),
        ({"criterion": "sigma"}, "criterion: expected one of information, active_units"),
        ({"alerts": {}}, "alerts: expected AlertRules"),
        ({"prior": 3}, "prior: expected"),
        ({"prior": ("a", 1)}, "prior: expected numbers as its mean"),
        ({"prior": (0.0, -1.0)}, "a variance above 0"),
        ({"prior": (0.0, float("nan"))}, "a finite variance"),
        ({"sinks": object()}, "sinks: expected a list of objects with write"),
        ({"sinks": ["tensorboard"]}, "sinks: expected a list"),
        ({"log_dir": 123}, "log_dir: expected the name of a folder"),
        ({"prior": lambda u: u}, "observe"),
        ({"mean": "fc_nu"}, "fc_nu"),
        ({"name": "eval"}, "any name except 'train' and 'eval', got 'eval': write name="),
        ({"name": 3}, "name: expected a string, got int"),
        ({"on_alert": "print"}, "on_alert: expected a callable"),
    ],
)
def test_bad_arguments(options: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        polar_monitor.attach(Vae(), **{"sinks": (), **options})


def test_an_unknown_argument_is_named_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match=r"attach\(\) got an unexpected argument 'log_var': did you mean logvar=\?"):
        polar_monitor.attach(Vae(), log_var="fc_logvar")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: nn.DataParallel(Vae()), "DistributedDataParallel"),
        (lambda: "model", "expected an nn.Module, got str"),
        (lambda: nn.Linear(2, 2), "no latent was found"),
    ],
)
def test_models_that_cannot_be_watched(model: Any, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        polar_monitor.attach(model(), sinks=())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_script_module_says_how_it_can_be_done() -> None:
    with pytest.raises(PolarMonitorError, match=r"with monitor.detached\(\)"):
        polar_monitor.attach(torch.jit.script(nn.Linear(2, 2)), sinks=())


def test_an_error_leaves_no_hook_behind() -> None:
    model = Vae()
    with pytest.raises(PolarMonitorError):
        polar_monitor.attach(model, sinks=(), every=0)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_compiled_or_wrapped_model_is_watched_inside() -> None:
    model = Vae()
    polar_monitor.attach(torch.compile(model, backend="eager"), sinks=())
    assert sum(isinstance(hook, Tap) for hook in model.fc_mu._forward_hooks.values()) == 1


def test_rules_are_given_by_name() -> None:
    assert polar_monitor.attach(Vae(), sinks=(), alerts=AlertRules(patience_windows=5.0)).alerts == ()


def test_latents_of_the_models_own_output() -> None:
    model = Vae()
    monitor = polar_monitor.attach(
        model, mean=lambda out: out[1], logvar=lambda out: out[2], sinks=(), every=1, max_overhead=1.0, strict=True
    )
    model(torch.randn(600, 12))
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert monitor.snapshot().dimensions == 4  # type: ignore[union-attr]
    assert "the model" in monitor.explain()


def test_classify_takes_arrays_and_refuses_what_does_not_fit() -> None:
    mean = torch.randn(2048, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.01])
    regime = polar_monitor.classify(mean, logvar=torch.tensor([-4.0, 0.0]).expand(2048, 2))
    assert [str(label) for label in regime.labels] == ["active", "passive"]
    assert polar_monitor.classify(mean).labels[1] == "passive"
    for bad, said in (
        ({"var": torch.full((2048, 2), -1.0)}, "pass it as logvar= if"),
        ({"var": torch.ones(5, 2)}, r"expected shape \(2048, 2\)"),
    ):
        with pytest.raises(PolarMonitorError, match=said):
            polar_monitor.classify(mean, **bad)
    with pytest.raises(PolarMonitorError, match="above 0"):
        polar_monitor.classify(torch.zeros(0, 2))


def test_a_doubt_about_the_unit_names_the_module() -> None:
    model = Vae()
    watched(model, mean="fc_mu", var="fc_logvar")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(model, 20)
    texts = [str(warning.message) for warning in caught]
    assert any("'fc_logvar' was read as var, but var has values below 0" in text for text in texts)
    assert any(
        "do not fit the data" in text and 'attach(model, mean="fc_mu", logvar="fc_logvar")' in text for text in texts
    )


def test_one_monitor_is_for_one_model() -> None:
    monitor = PolarMonitor(sinks=()).attach(Vae())
    assert "fc_mu" in monitor.explain()
    with pytest.raises(PolarMonitorError, match="attached already"):
        monitor.attach(Vae())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"kinds": {"fadding"}}, "kinds: expected some of fading"),
        ({"kinds": "lost"}, "kinds"),
        ({"patience_windows": -1.0}, "patience_windows: expected 0 or more"),
        ({"established_steps": "2"}, "established_steps: expected a number, got '2'"),
        ({"horizon_steps": "20"}, "horizon_steps: expected a number, got '20'"),
        ({"fall": True}, "fall: expected a number, got True"),
        ({"kinds": 3}, "kinds: expected some of fading"),
    ],
)
def test_rules_that_cannot_be_meant(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        AlertRules(**rules)


def test_kinds_may_be_any_collection_of_names() -> None:
    for kinds in ({"lost"}, ["lost"], frozenset({AlertKind.LOST})):
        assert AlertRules(kinds=kinds).kinds == frozenset({"lost"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mean", "options", "said"),
    [
        ("abc", {}, "expected an array"),
        ([[1.0, 2.0], [1.0]], {}, "expected an array"),
        (torch.zeros(5, 2, dtype=torch.complex64), {}, "real numbers"),
        (torch.randn(600, 2), {"prior": 3}, "prior: expected"),
        (torch.randn(600, 2), {"prior": (1, 2, 3)}, "prior: expected"),
        (torch.randn(600, 2), {"var": torch.ones(600, 2), "std": torch.ones(600, 2)}, "at most one"),
    ],
)
def test_classify_refuses_what_is_no_latent(mean: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        polar_monitor.classify(mean, **options)


def test_a_watched_model_may_be_detached_and_watched_again() -> None:
    model = Vae()
    polar_monitor.attach(model, sinks=()).detach()
    assert polar_monitor.attach(model, sinks=()).attached


def test_help_shows_every_argument_with_its_default_and_explanation() -> None:
    theirs, mine = inspect.signature(PolarMonitor).parameters, inspect.signature(polar_monitor.attach).parameters
    assert list(mine) == ["model", *theirs]
    assert all(mine[word].default == theirs[word].default for word in theirs)
    text = pydoc.plain(pydoc.render_doc(polar_monitor.attach))
    for word in mine:
        assert re.search(rf"^ +{word}: \S", text, re.M), f"{word} is not explained"
    assert "every: 'int | None' = None" in text
    assert "arguments of PolarMonitor" not in text
    assert "See PolarMonitor" not in text


def test_attach_has_no_explanation_of_its_own_beside_the_model() -> None:
    """Each argument is explained once, in the class: nothing can differ."""
    explained = inspect.cleandoc(str(PolarMonitor.__doc__)).partition("Args:\n")[2].partition("\n\n")[0]
    assert explained in str(polar_monitor.attach.__doc__)
