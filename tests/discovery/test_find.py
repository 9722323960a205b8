"""Finding the latents: what is found, what is refused, and what the error says to write."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from models import Autoencoder, Vae
from torch import Tensor, nn

from polar_monitor.discovery.find import find
from polar_monitor.discovery.outputs import structured
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
def test_the_usual_pairs_are_found(mean: str, spread: str, kind: str) -> None:
    found = find(
        model(**{mean: nn.Linear(4, 2), spread: nn.Linear(4, 2), "decoder": nn.Linear(2, 4)}), None, NONE, None
    )
    assert [(part.name, part.side) for part in found.parts] == [(mean, "mean"), (spread, "spread")]
    assert (found.kind, found.dimensions) == (kind, 2)


def test_pytorchs_own_example_is_found() -> None:
    layers = {name: nn.Linear(4, 4) for name in ("fc1", "fc21", "fc22", "fc3", "fc4")}
    assert [part.name for part in find(model(**layers), None, NONE, None).parts] == ["fc21", "fc22"]


def test_an_autoencoder_is_found_by_its_widths() -> None:
    found = find(Autoencoder(), None, NONE, None)
    assert (found.parts[0].name, found.kind, found.dimensions) == ("encoder", None, 3)


def test_an_encoder_twice_as_wide_is_chunked() -> None:
    found = find(model(encoder=nn.Linear(6, 4), decoder=nn.Linear(2, 6)), None, NONE, None)
    assert (found.kind, found.dimensions, found.parts[0].side) == ("var", 2, "both")


def test_a_unit_that_the_name_does_not_tell_is_asked_for() -> None:
    with pytest.raises(PolarMonitorError, match=r'(?s)attach\(model, mean="fc_mu", logvar="fc_var"\).*var="fc_var"'):
        find(model(fc_mu=nn.Linear(4, 2), fc_var=nn.Linear(4, 2)), None, NONE, None)


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
        ("fc_nu", {}, None, "expected the name of a module, got 'fc_nu'"),
        ("fc_mu", {"logvar": "fc_logvra"}, None, "'fc_logvra'"),
        (None, {"logvar": "fc_logvar"}, None, "without mean="),
        ("fc_mu", {"logvar": "fc_logvar", "var": "fc_logvar"}, None, "at most one"),
        ("fc_mu", {"logvar": "body"}, None, "they must be equal"),
        ("fc_mu", {"logvar": "fc_mu"}, None, "the same module"),
        ("fc_mu", {"logvar": lambda out: out}, None, "two callables, or two modules"),
        ("fc_mu", {}, "body", "expected a callable on the output of 'body'"),
        (3, {}, None, "got int"),
        (nn.Linear(2, 2), {}, None, "got Linear"),
    ],
)
def test_wrong_arguments(mean: object, spreads: dict[str, object], latent: object, said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        find(Vae(), mean, NONE | spreads, latent)


@dataclass
class Output:
    z_mean: Tensor
    z_log_var: Tensor


class Pair(NamedTuple):
    mu: Tensor
    std: Tensor


M, LV = torch.randn(6, 3), torch.randn(6, 3)
SD = (0.5 * LV).exp()


@pytest.mark.parametrize(
    "output",
    [
        (M, LV),
        [M, LV, "more"],
        {"mu": M, "logvar": LV},
        {"mean": M, "log_std": 0.5 * LV},
        Output(M, LV),
        Pair(M, SD),
        SimpleNamespace(latent_dist=SimpleNamespace(mean=M, logvar=LV)),
        torch.distributions.Normal(M, SD),
        torch.distributions.Independent(torch.distributions.Normal(M, SD), 1),
        torch.distributions.Laplace(M, SD / 2**0.5),
        (torch.distributions.Normal(M, SD), M),
        torch.cat([M, LV], 1),
    ],
    ids=lambda o: type(o).__name__,
)
def test_outputs_that_say_what_they_hold(output: object) -> None:
    mean, variance = structured(output)
    assert torch.equal(mean, M)
    assert variance is not None
    torch.testing.assert_close(variance, LV.exp())


def test_channels_are_chunked_in_spatial_latents() -> None:
    moments = torch.randn(2, 8, 4, 4)
    mean, variance = structured(moments)
    assert torch.equal(mean, moments[:, :4])
    assert variance is not None
    torch.testing.assert_close(variance, moments[:, 4:].exp())


@pytest.mark.parametrize("output", ["text", (M, LV[:, :2]), {"x": M}, 3])
def test_an_output_that_does_not_say_is_refused(output: object) -> None:
    with pytest.raises(TypeError, match="expected"):
        structured(output)
