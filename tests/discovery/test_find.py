"""The latent of a model: pairs that are taken, choices that are refused, and the lines that the error proposes."""

from __future__ import annotations

import pytest
from models import Autoencoder, Vae
from torch import nn

from polar_monitor.discovery.find import find
from polar_monitor.discovery.suggestions import MAX_LINES
from polar_monitor.errors import PolarMonitorError

NONE = {"logvar": None, "var": None, "std": None}


def model(**modules: nn.Module) -> nn.Module:
    return nn.ModuleDict(modules)


@pytest.mark.parametrize(
    ("mean", "spread", "kind"),
    [
        ("fc_mu", "fc_logvar", "logvar"),
        ("mu", "log_var", "logvar"),
        ("z_mean", "z_log_var", "logvar"),
        ("fcMu", "fcLogVar", "logvar"),
        ("hidden2mean", "hidden2logv", "logvar"),
        ("mean_head", "log_std_head", "logstd"),
        ("to_mu", "to_logsigma", "logstd"),
    ],
)
def test_the_usual_pairs_are_taken(mean: str, spread: str, kind: str) -> None:
    latent = find(
        model(**{mean: nn.Linear(4, 2), spread: nn.Linear(4, 2), "decoder": nn.Linear(2, 4)}), None, NONE, None
    )
    assert [(part.name, part.side) for part in latent.parts] == [(mean, "mean"), (spread, "spread")]
    assert (latent.kind, latent.dimensions) == (kind, 2)


def test_pytorchs_own_example_is_taken() -> None:
    layers = {name: nn.Linear(4, 4) for name in ("fc1", "fc21", "fc22", "fc3", "fc4")}
    assert [part.name for part in find(model(**layers), None, NONE, None).parts] == ["fc21", "fc22"]


def test_an_autoencoder_is_taken_by_its_widths() -> None:
    latent = find(Autoencoder(), None, NONE, None)
    assert (latent.parts[0].name, latent.kind, latent.dimensions) == ("encoder", None, 3)


def test_an_encoder_twice_as_wide_is_chunked() -> None:
    latent = find(model(encoder=nn.Linear(6, 4), decoder=nn.Linear(2, 6)), None, NONE, None)
    assert (latent.kind, latent.dimensions, latent.parts[0].side) == ("var", 2, "both")


def test_a_unit_that_the_name_does_not_settle_is_asked_for() -> None:
    with pytest.raises(PolarMonitorError) as refused:
        find(model(fc_mu=nn.Linear(4, 2), fc_var=nn.Linear(4, 2)), None, NONE, None)
    assert str(refused.value).splitlines() == [
        "found 'fc_mu' and 'fc_var', but 'fc_var' may output log σ², σ², σ or log σ. Use one of:",
        '    attach(model, mean="fc_mu", logvar="fc_var")',
        '    attach(model, mean="fc_mu", var="fc_var")',
        '    attach(model, mean="fc_mu", std="fc_var")',
        '    attach(model, mean="fc_mu", logstd="fc_var")',
    ]


def test_a_name_that_may_mean_another_variable_is_asked_for() -> None:
    with pytest.raises(PolarMonitorError) as refused:
        find(model(style_mu=nn.Linear(4, 2), style_logvar=nn.Linear(4, 2)), None, NONE, None)
    assert str(refused.value).splitlines() == [
        "found 'style_mu' and 'style_logvar', but the names may mean another variable than the latent. "
        "Use this line if it is the latent:",
        '    attach(model, mean="style_mu", logvar="style_logvar")',
    ]


def test_a_long_list_of_lines_is_cut() -> None:
    heads = {f"{side}{i}": nn.Linear(4, 2) for i in range(40) for side in ("mu", "logvar")}
    with pytest.raises(PolarMonitorError, match="so there may be more than one latent") as refused:
        find(model(**heads), None, NONE, None)
    lines = str(refused.value).splitlines()
    assert len(lines) == 1 + MAX_LINES + 1
    assert lines[-1] == "    … and 24 more"


def test_two_candidates_are_listed() -> None:
    two = model(a=Vae(), b=Vae())
    with pytest.raises(PolarMonitorError, match=r'(?s)mean="a.fc_mu", logvar="a.fc_logvar".*mean="b.fc_mu"'):
        find(two, None, NONE, None)
    assert find(two, "b.fc_mu", NONE | {"logvar": "b.fc_logvar"}, None).kind == "logvar"


def test_no_latents_says_what_to_write() -> None:
    with pytest.raises(PolarMonitorError, match=r"(?s)no latent was found.*latent=.*modules: one, two"):
        find(model(one=nn.Linear(2, 2), two=nn.Linear(2, 2)), None, NONE, None)


@pytest.mark.parametrize(
    ("mean", "spreads", "latent", "said"),
    [
        ("fc_nu", {}, None, "the model has no module 'fc_nu'. Write"),
        ("fc_mu", {"logvar": "fc_logvra"}, None, "'fc_logvra'"),
        (None, {"logvar": "fc_logvar"}, None, "without mean="),
        ("fc_mu", {"logvar": "fc_logvar", "var": "fc_logvar"}, None, "at most one"),
        ("fc_mu", {"logvar": "body"}, None, "they must be equal"),
        ("fc_mu", {"logvar": "fc_mu"}, None, "the same module"),
        ("fc_mu", {"logvar": lambda out: out}, None, "two callables, two modules, or logvar="),
        ("fc_mu", {}, "body", "expected a callable on the output of 'body'"),
        (3, {}, None, "got int"),
        (nn.Linear(2, 2), {}, None, "mean: got a Linear that is not a module of this model; pass its name"),
    ],
)
def test_wrong_arguments(mean: object, spreads: dict[str, object], latent: object, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        find(Vae(), mean, NONE | spreads, latent)
