"""Models without a latent: nothing may be confirmed, whatever is noisy in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import H, N, Net, X, mlp, noise, rows, run
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = mlp(width, 2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + nn.functional.dropout(self.out(nn.functional.scaled_dot_product_attention(q, k, v)), 0.1)
        return x + self.feed(x)


class Residual(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.a, self.bottleneck = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.na, self.nb = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x + self.nb(self.bottleneck(nn.functional.relu(self.na(self.a(x))))))


class Coupling(nn.Module):
    """Half of the data times exp(s) plus t: noise, mean and spread, if the data were noise."""

    def __init__(self) -> None:
        super().__init__()
        self.s, self.t, self.mix = mlp(X // 2, H, X // 2), mlp(X // 2, H, X // 2), nn.Linear(X // 2, X // 2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return torch.cat([self.mix(b * (self.s(a) / 2).exp() + self.t(a)), a], 1)


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.s, self.t, self.mix = mlp(X, H, X), mlp(X, H, X), nn.Linear(X, X)
        self.register_buffer("mask", (torch.arange(X) % 2).float())

    def forward(self, x: Tensor) -> Tensor:
        a = self.mask * x
        return self.mix(a + (1 - self.mask) * (x * self.s(a).exp() + self.t(a)))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, 2, 1)
        self.up, self.last, self.time = (
            nn.ConvTranspose2d(16, 8, 2, 2),
            nn.Conv2d(16, 3, 3, padding=1),
            nn.Linear(1, 16),
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        a = nn.functional.silu(self.first(x))
        h = nn.functional.silu(self.down(a) + self.time(t)[..., None, None])
        return self.last(torch.cat([nn.functional.silu(self.up(h)), a], 1))


def diffusion(model: Any, x: Tensor) -> Tensor:
    t, eps = torch.rand(len(x), 1), torch.randn_like(x)
    return model.net((1 - t)[..., None, None].sqrt() * x + t[..., None, None].sqrt() * eps, t) - eps


def latent_diffusion(model: Any, x: Tensor) -> Any:
    code, t = model.e(x), torch.rand(len(x), 1)
    eps = torch.randn_like(code)
    return model.n(torch.cat([(1 - t).sqrt() * code + t.sqrt() * eps, t], 1)) - eps, model.d(code)


def actor(model: Any, x: Tensor) -> Any:
    mean, log_std = model.mean_linear(x), model.log_std_linear(x).clamp(-20, 2)
    action = noise(mean, log_std.exp())
    return action.tanh(), mean, action


def agent(model: Any, x: Tensor) -> Any:
    _, mean, action = actor(model, x)
    return model.critic(torch.cat([x, action], 1)), mean


def quantised(model: Any, x: Tensor) -> Tensor:
    z = model.e(x)
    q = model.book(torch.cdist(z, model.book.weight).argmin(1))
    return model.d(z + (q - z).detach())


def experts(model: Any, x: Tensor) -> Tensor:
    gate = (model.g(x) + torch.randn(len(x), 4) * nn.functional.softplus(model.n(x))).softmax(1)
    return (gate[..., None] * torch.stack([e(x) for e in model.e], 1)).sum(1)


def heads(width: int) -> dict[str, nn.Module]:
    return {"mean_linear": nn.Linear(X, width), "log_std_linear": nn.Linear(X, width)}


data = rows(N, X)
images = rows(8, 3, 8, 8)
MODELS: dict[str, tuple[nn.Module, Callable[[], Any]]] = {
    "MLP": (mlp(X, H, H, X), data),
    "classifier": (mlp(X, H, 6), data),
    "dropout": (nn.Sequential(nn.Linear(X, H), nn.Dropout(0.3), nn.Linear(H, H), nn.Dropout(), nn.Linear(H, X)), data),
    "ResNet": (nn.Sequential(nn.Conv2d(3, 8, 3), Residual(), Residual(), nn.Flatten(), nn.Linear(288, 10)), images),
    "transformer": (nn.Sequential(nn.Embedding(30, 16), Block(), Block(), nn.Linear(16, 30)),
                    lambda: torch.randint(0, 30, (8, 12))),
    "LSTM": (Net(lambda s, x: s.out(s.r(x)[0]), r=nn.LSTM(X, H, 2, batch_first=True), out=nn.Linear(H, X)),
             rows(8, 7, X)),
    "GAN": (Net(lambda s, x: (s.d(s.g(torch.randn(len(x), 8))), s.d(x)), g=mlp(8, H, X), d=mlp(X, H, 1)), data),
    "GAN generator": (nn.Sequential(nn.Linear(X, H), nn.BatchNorm1d(H), nn.ReLU(), nn.Linear(H, 48)), data),
    "U-Net": (UNet(), lambda: (torch.randn(8, 3, 8, 8), torch.rand(8, 1))),
    "diffusion": (Net(diffusion, net=UNet()), images),
    "latent diffusion": (Net(latent_diffusion, e=mlp(X, H, 8), n=mlp(9, H, 8), d=mlp(8, X)), data),
    "couplings": (nn.Sequential(Coupling(), Coupling()), data),
    "masked couplings": (nn.Sequential(Masked(), Masked()), data),
    "scale and shift": (Net(lambda s, x, c: s.o(x * s.s(c).exp() + s.t(c)), s=mlp(8, X), t=mlp(8, X), o=mlp(X, X)),
                        lambda: (torch.randn(N, X), torch.randn(N, 8))),
    "SAC actor": (Net(actor, **heads(4)), data),
    "actor and critic": (Net(agent, critic=mlp(X + 4, H, 1), **heads(4)), data),
    "VQ-VAE": (Net(quantised, e=mlp(X, H, 6), book=nn.Embedding(16, 6), d=mlp(6, X)), data),
    "denoising": (Net(lambda s, x: s.d(s.e(x + 0.3 * torch.randn_like(x))), e=mlp(X, H, 6), d=mlp(6, X)), data),
    "noisy experts": (Net(experts, e=nn.ModuleList(mlp(X, X) for _ in range(4)), g=nn.Linear(X, 4), n=nn.Linear(X, 4)),
                      data),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_confirmed(name: str) -> None:
    model, batch = MODELS[name]
    for seed in range(2):
        assert run(model, batch, 20, seed=seed).names == []


def test_a_policy_is_said_to_be_one() -> None:
    for name in ("SAC actor", "actor and critic"):
        (reading,) = run(*MODELS[name], 20).judge.ranked()
        assert "no module but a critic takes a sample of them; a policy or a regressor?" in reading.doubt


def test_noise_of_the_same_size_for_all_inputs_is_said() -> None:
    model = Net(
        lambda s, x: s.dec((m := s.enc(x)) + s.logvar.exp() * torch.randn_like(m)),
        enc=mlp(X, H, 6), dec=mlp(6, X), logvar=nn.Parameter(torch.zeros(6) - 1),
    )  # fmt: skip
    result = run(model, rows(64, X), 3)
    assert result.names == []
    assert "what enters 'dec' is what 'enc" in result.judge.remarks[0]
    assert "is the same for all inputs" in result.judge.remarks[0]
    line = 'attach(model, latent="enc.2", mean=lambda out: out, std=lambda out: torch.full_like(out, 0.'
    assert line in result.judge.remarks[0]
    model.logvar.data[:3] += 1
    assert "σ (0.3" in run(model, rows(64, X), 3).judge.remarks[0]
    assert "attach(" not in run(model, rows(64, X), 3).judge.remarks[0]


def test_searches_become_rare_where_nothing_is_in_question() -> None:
    judge = run(MODELS["MLP"][0], data, 8).judge
    assert judge.pause > 0
