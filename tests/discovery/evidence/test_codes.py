"""Codes without a sample, and the reasons why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import H, N, Net, Toy, X, look_once, mlp, rows
from torch import Tensor, nn

from polar_monitor.discovery.evidence.codes import Code, CodeJudge

data = rows(N, X)


def judged(model: nn.Module, batch: Callable[[], Any], steps: int = 3) -> tuple[Code | None, str]:
    torch.manual_seed(0)
    judge = CodeJudge()
    for _ in range(steps):
        judge.add(look_once(model, batch()))
    return judge.best(), judge.reason


def tokens(model: Any, x: Tensor) -> Tensor:
    return model.decoder(model.encoder(model.embed(x).flatten(1))).view(-1, 12, 30)


class Neighbours(nn.Module):
    """A layer of a graph network."""

    def __init__(self, width: int, given: int) -> None:
        super().__init__()
        self.linear, self.bias = nn.Linear(width, given, bias=False), nn.Parameter(torch.zeros(given))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        h = self.linear(x)
        return torch.zeros_like(h).index_add(0, edges[0], h[edges[1]]) + self.bias


class Pairs(nn.Module):
    """The decoder of a graph autoencoder: a number for each pair of nodes."""

    def forward(self, z: Tensor, edges: Tensor) -> Tensor:
        return (z[edges[0]] * z[edges[1]]).sum(1).sigmoid()


class AllPairs(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (z @ z.T).sigmoid()


def graph() -> tuple[Tensor, Tensor]:
    return torch.randn(N, X), torch.randint(0, N, (2, 90), generator=torch.Generator().manual_seed(1))


def mean_only(model: Any, x: Tensor) -> Tensor:
    h = model.body(x).relu()
    model.fc_ln_var(h)
    return model.dec(model.fc_mu(h))


CODES: dict[str, tuple[nn.Module, Callable[[], Any], str]] = {
    "MLP": (Net(lambda s, x: s.decoder(s.encoder(x)), encoder=mlp(X, H, 6), decoder=mlp(6, H, X)), data, "encoder.2"),
    "maps": (
        Net(
            lambda s, x: s.decoder(s.encoder(x)), encoder=nn.Conv2d(3, 4, 4, 4), decoder=nn.ConvTranspose2d(4, 3, 4, 4)
        ), rows(8, 3, 16, 16), "encoder",
    ),
    "tokens": (
        Net(tokens, embed=nn.Embedding(30, 4), encoder=mlp(48, H, 6), decoder=mlp(6, H, 360)),
        lambda: torch.randint(0, 30, (8, 12)), "encoder.2",
    ),
    "a mean beside a head that nothing uses": (
        Net(mean_only, body=mlp(X, H), fc_mu=nn.Linear(H, 6), fc_ln_var=nn.Linear(H, 6), dec=mlp(6, X)), data, "fc_mu",
    ),
    "a graph": (
        Net(lambda s, x, edges: s.decoder(s.encoder(x, edges), edges), encoder=Neighbours(X, 5), decoder=Pairs()),
        graph, "encoder",
    ),
    "a graph, all pairs": (
        Net(lambda s, x, edges: s.decoder(s.encoder(x, edges)), encoder=Neighbours(X, 5), decoder=AllPairs()),
        graph, "encoder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("last", [nn.BatchNorm1d(6, affine=False), nn.LayerNorm(6), nn.Tanh()], ids=repr)
def test_the_code_is_what_the_decoder_takes_after_a_layer_of_the_same_width(last: nn.Module) -> None:
    encoder = mlp(X, H, 6).append(last)
    code, _ = judged(Net(lambda s, x: s.decoder(s.encoder(x)), encoder=encoder, decoder=mlp(6, H, X)), data)
    assert code is not None
    assert code.mean.module == "encoder.3"
    assert code.decoder == "decoder"


@pytest.mark.parametrize("kind", CODES)
def test_what_the_decoder_takes_exactly_is_the_code(kind: str) -> None:
    model, batch, name = CODES[kind]
    code, _ = judged(model, batch)
    assert code is not None
    assert code.is_confirmed
    assert code.mean.module == name
    assert code.spread is None
    assert "is exactly what" in code.evidence
    early, _ = judged(model, batch, 2)
    assert early is not None
    assert not early.is_confirmed


def test_a_code_that_no_name_supports_is_shown_but_not_taken() -> None:
    code, _ = judged(mlp(X, H, 4, H, X), data)
    assert code is not None
    assert code.mean.module == "2"
    assert not code.is_confirmed


def test_a_sample_is_no_code() -> None:
    assert judged(Toy(), data)[0] is None


class Sampler(nn.Module):
    """Draws in a form that no table knows."""

    def forward(self, mean: Tensor, spread: Tensor) -> Tensor:
        return (mean + spread.cosh() * torch.randn_like(mean)).tanh()


class SamplingEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(X, 6), nn.Linear(X, 6)

    def forward(self, x: Tensor) -> Tensor:
        return Sampler()(self.a(x), self.b(x))


SAMPLED: dict[str, nn.Module] = {
    "inside the encoder": Net(lambda s, x: s.decoder(s.encoder(x)), encoder=SamplingEncoder(), decoder=mlp(6, H, X)),
    "by a module": Net(
        lambda s, x: s.decoder(s.draw(s.a(x), s.b(x))),
        a=nn.Linear(X, 6), b=nn.Linear(X, 6), draw=Sampler(), decoder=mlp(6, H, X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAMPLED)
def test_a_sample_of_an_unknown_form_is_no_code(kind: str) -> None:
    code, reason = judged(SAMPLED[kind], data)
    assert code is None
    assert "may be a sample that it draws from" in reason


def skips(model: Any, x: Tensor) -> Tensor:
    a = model.encoder(x)
    return model.last(torch.cat([model.decoder(model.bottleneck(a)), a], 1))


class VectorQuantizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.book = nn.Embedding(8, 6)

    def forward(self, z: Tensor) -> Tensor:
        return self.book(torch.cdist(z, self.book.weight).argmin(1))


def collapsed() -> nn.Sequential:
    """An encoder whose codes are one point, but for rounding."""
    encoder = mlp(X, H, 6)
    with torch.no_grad():
        encoder[-1].weight.mul_(1e-7)
        encoder[-1].bias.fill_(3.0)
    return encoder


NONE: dict[str, tuple[nn.Module, Callable[[], Any], str]] = {
    "a policy": (mlp(X, H, 4), data, "a policy or a regressor?"),
    "no bottleneck": (mlp(X, H, X), data, "no tensor that one module gives and another takes is narrower"),
    "a U-Net": (
        Net(skips, encoder=mlp(X, 16), bottleneck=mlp(16, 4), decoder=mlp(4, 16), last=mlp(32, X)), data,
        "'last' takes what an earlier module gives: it goes around 'bottleneck",
    ),
    "a VQ-VAE": (
        Net(lambda s, x: s.decoder(s.vq(s.encoder(x))), encoder=mlp(X, H, 6), vq=VectorQuantizer(), decoder=mlp(6, X)),
        data, "a code of a list",
    ),
    "a code at one point": (
        Net(lambda s, x: s.decoder(s.encoder(x)), encoder=collapsed(), decoder=mlp(6, X)),
        data, "or one that has shrunk to a point",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_code_is_said(kind: str) -> None:
    model, batch, words = NONE[kind]
    code, reason = judged(model, batch)
    assert code is None
    assert words in reason
