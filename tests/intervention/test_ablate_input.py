"""Bad input to `ablate` is one clear message; losses of other forms are taken in groups of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from models import Autoencoder, Vae
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

import polar_monitor
from polar_monitor import PolarMonitorError

X = torch.randn(320, 12, generator=torch.Generator().manual_seed(1))
CODES = torch.randn(320, 3, generator=torch.Generator().manual_seed(2))
WEIGHTS = torch.tensor([[2.0, 0.0, 1.0, 0.5], [0.0, 1.0, 0.0, 0.2], [0.0, 0.0, 0.0, 0.0]])


def model() -> Vae:
    torch.manual_seed(0)
    vae = Vae()
    vae.fc_mu.weight.data *= 4
    vae.fc_logvar.weight.data *= 2
    return vae


def rows(output: Any, x: Tensor) -> Tensor:
    return (output[0] - x).square().sum(1)


@pytest.mark.parametrize(
    ("loss", "batch", "message"),
    [
        (lambda out, x: (out[0] - x).square(), X, r"one number for each of the 320 inputs, got shape \(320, 12\)"),
        (lambda out, x: rows(out, x)[:5], X, r"got shape \(5,\)"),
        (lambda out, x: "low", X, r"loss: expected a tensor \(n,\), got str"),
        (lambda out, x: rows(out, x) * torch.nan, X, "expected finite numbers, got NaN or infinity for 320 of 320"),
        (lambda out, x: rows(out, x).logsumexp(0), X, "it is neither their mean nor their sum: return them, shape"),
        (lambda out, x: (out[0] - X).square().mean(), X, "it failed on a part of them"),
        (lambda out, x: None, X, r"loss: expected a tensor \(n,\), got NoneType"),
        (lambda out, x: X.mean(), X, "it is the same for every part of the output, as a loss that the model computes"),
        (rows, X[:8], "batch: expected at least 16 inputs for a standard error, got 8"),
        (lambda out, x: rows(out, x).mean(), X[:8], "expected at least 16 inputs"),
    ],
)
def test_a_loss_or_a_batch_that_cannot_be_used(loss: Any, batch: Tensor, message: str) -> None:
    with pytest.raises(PolarMonitorError, match=message):
        polar_monitor.ablate(model(), batch, loss=loss, mean="fc_mu", logvar="fc_logvar")


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_one_number_for_the_batch_is_taken_of_groups(reduce: str) -> None:
    each = polar_monitor.ablate(model(), X, loss=rows)
    grouped = polar_monitor.ablate(model(), X, loss=lambda out, x: getattr(rows(out, x), reduce)())
    for how in each.by:
        np.testing.assert_allclose(grouped.by[how][0], each.by[how][0], rtol=1e-4, atol=1e-5)
        assert (grouped.by[how][1] < 3 * each.by[how][1]).all()
    assert f"a {reduce} over rows: taken of 16 groups of 20" in grouped.measure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replace": ()}, r'replace: expected some of .*as in \("mean",\); got \(\)'),
        ({"replace": "mean"}, "got 'mean'"),
        ({"replace": ("mean", "zero")}, "got 'zero'"),
        ({"mean": "no"}, "the model has no module 'no'"),
        ({"mean": "fc_mu", "logvar": "fc_logvar", "std": "fc_logvar"}, "expected at most one of"),
        ({"layout": 3}, "layout: expected a string"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PolarMonitorError, match=message):
        polar_monitor.ablate(model(), X, loss=rows, **arguments)


def test_a_model_whose_latent_is_not_certain_gets_the_line_to_write() -> None:
    class Vague(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b, self.c = nn.Linear(12, 4), nn.Linear(12, 4), nn.Linear(4, 12)
            self.a.weight.data *= 0.02

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            mean, logvar = self.a(x), self.b(x) * 0.01
            return self.c(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar

    with pytest.raises(PolarMonitorError, match="no latent"):
        polar_monitor.ablate(Vague(), X, loss=rows)
    assert len(polar_monitor.ablate(Vague(), X, loss=rows, mean="a", logvar="b").worth) == 4


def test_a_module_without_a_latent_is_pointed_to_the_form_for_decoders() -> None:
    with pytest.raises(PolarMonitorError, match=r"no latent: .*ablate\(decoder, codes, targets=x\)"):
        polar_monitor.ablate(nn.Linear(3, 4), CODES)


def test_a_model_that_is_none() -> None:
    with pytest.raises(PolarMonitorError, match=r"model: expected an nn\.Module, got int"):
        polar_monitor.ablate(3, X)


# -- decoders ----------------------------------------------------------------------------------------------------------


def test_a_decoder_with_targets_without_and_with_a_loss() -> None:
    targets = CODES @ WEIGHTS + 0.1
    worths = [
        polar_monitor.ablate(lambda z: z @ WEIGHTS, CODES, targets=targets),
        polar_monitor.ablate(lambda z: z @ WEIGHTS, CODES.numpy()),
        polar_monitor.ablate(lambda z: z @ WEIGHTS, CODES, targets=targets, loss=lambda o, t: (o - t).square().sum(1)),
    ]
    for worth in worths:
        assert worth.worth[2] == 0
        assert worth.worth[0] > worth.worth[1] > 0
        assert worth.by.keys() == {"row", "mean"}
    assert [worth.unit for worth in worths] == ["nats", "squared units of the output", "nats"]
    np.testing.assert_allclose(worths[1].by["row"][0] * 2, worths[2].by["row"][0], rtol=0.05)


@pytest.mark.parametrize(
    ("decoder", "codes", "targets", "message"),
    [
        (lambda z, y: z, CODES, X, "needs more than the code"),
        (lambda z: {"x": z}, CODES, X, r"gives dict with x: choose the reconstruction"),
        (lambda z: z[:3], CODES, X, "expected one row for each code"),
        (nn.Linear(5, 12), CODES, X, "takes 5 numbers, and the code has 3: pass a callable that adds the other 2"),
        (nn.Linear(2, 12), CODES, X, "failed in eval mode with codes of shape"),
        (lambda z: z, (CODES, X), None, r"got two arrays: write ablate\(decoder, codes, targets=x\)"),
        (lambda z: z, "codes", None, r"expected the codes of a decoder, shape \(n, D\), got str"),
        (lambda z: z @ WEIGHTS, CODES, X, r"no output of the data's size, shape \(320, 12\)"),
    ],
)
def test_a_decoder_or_codes_that_cannot_be_used(decoder: Any, codes: Any, targets: Any, message: str) -> None:
    with pytest.raises(PolarMonitorError, match=message):
        polar_monitor.ablate(decoder, codes, targets=targets)


def test_a_conditional_decoder_is_a_function_of_the_code() -> None:
    decoder, condition = nn.Linear(5, 4), torch.randn(320, 2)
    worth = polar_monitor.ablate(
        lambda z: decoder(torch.cat([z, condition], 1)), CODES, loss=lambda output, _: output.square().sum(1)
    )
    assert (worth.worth_se > 0).all()


# -- the model's own likelihood ----------------------------------------------------------------------------------------


def test_a_distribution_of_the_data_gives_its_log_likelihood() -> None:
    class Binary(Vae):
        def forward(self, x: Tensor) -> Any:
            logits, mean, logvar = super().forward(x)
            return {"x": Independent(Bernoulli(logits=logits), 1), "mean": mean, "logvar": logvar}

    torch.manual_seed(0)
    vae, x = Binary(), (X > 0).float()
    named = {"mean": "fc_mu", "logvar": "fc_logvar"}
    own = polar_monitor.ablate(vae, x, **named)
    given = polar_monitor.ablate(vae, x, loss=lambda out, x: -out["x"].log_prob(x), **named)
    assert (own.worth == given.worth).all()
    assert "the negative log-likelihood of the distribution that the model gives" in own.measure


def test_logits_are_no_reconstruction() -> None:
    torch.manual_seed(0)
    vae, x = Vae(), (X > 0).float()
    vae.decoder.bias.data += 8
    with pytest.raises(PolarMonitorError, match=r"no reconstruction on the data's scale .*pass loss=lambda output"):
        polar_monitor.ablate(vae, x, mean="fc_mu", logvar="fc_logvar")


def test_another_unit_is_compared_with_the_complete_code() -> None:
    worth = polar_monitor.ablate(model(), X, loss=lambda out, x: rows(out, x) / 12, unit="mean squared error")
    assert np.isnan(worth.used).all()
    assert "worth of each dimension in mean squared error" in str(worth)
    assert "used" not in str(worth).split("\n\n")[1]


def test_an_autoencoder_has_no_information_here() -> None:
    worth = polar_monitor.ablate(Autoencoder(), X, loss=lambda out, x: (out - x).square().sum(1))
    assert np.isnan(worth.information).all()
    assert worth.labels == ()
