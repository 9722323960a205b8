"""Models whose latent the first training steps show: each reading has to name mean, spread and form as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributions as td
from evidence_runs import D, H, N, Net, Toy, X, mlp, noise, rows, run
from torch import Tensor, nn


def with_std(std: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    return lambda model, x, m, s: (model.dec(noise(m, std(s))), m, s)


UNITS: dict[str, Callable[[Tensor], Tensor]] = {
    "log σ²": lambda s: (s / 2).exp(),
    "log σ": lambda s: s.exp(),
    "σ, negative in places": lambda s: s,
    "σ = softplus(·)": nn.functional.softplus,
    "σ² = softplus(·)": lambda s: nn.functional.softplus(s).sqrt(),
    "log σ² = −|·|": lambda s: (-s.abs() / 2).exp(),
    "σ = softplus(·) + 0.1": lambda s: nn.functional.softplus(s) + 0.1,
    "σ = sigmoid(·)": torch.sigmoid,
}


@pytest.mark.parametrize("form", UNITS)
def test_the_form_of_the_spread(form: str) -> None:
    model = Toy(with_std(UNITS[form]))
    torch.manual_seed(1)
    nn.init.normal_(model.lv.weight, std=0.3)  # so that all forms differ within a few steps
    assert run(model, rows(128, X), 40).names == [("'mu'", "'lv'", form)]


def softplus_layer() -> Toy:
    model = Toy(lambda model, x, m, s: (model.dec(noise(m, s)), m, s))
    model.lv = nn.Sequential(nn.Linear(H, D), nn.Softplus())
    return model


def copies(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    return model.dec(m + (s / 2).exp() * torch.randn(5, *m.shape)), m, s


def second_axis(model: Toy, x: Tensor, m: Tensor, s: Tensor) -> Any:
    return model.dec(m[:, None] + (s / 2).exp()[:, None] * torch.randn(len(m), 5, m.shape[1])), m, s


def sample(change: Callable[[Tensor, Tensor], Tensor], repeated: Callable[[Tensor], Tensor] = lambda t: t) -> Any:
    return lambda model, x, m, s: (model.dec(change(noise(repeated(m), (repeated(s) / 2).exp()), x)), m, s)


def at_places(z: Tensor, x: Tensor) -> Tensor:
    """Repeat a sample at five places, each beside a coordinate."""
    return torch.cat([z[:, None].expand(-1, 5, -1), torch.linspace(0, 1, 5)[:, None].expand(len(z), -1, 1)], -1)


SAMPLES: dict[str, tuple[Any, int, tuple[int, ...]]] = {
    "as it is": (None, 0, (N, X)),
    "(K, n, D)": (copies, 0, (N, X)),
    "(n, K, D)": (second_axis, 0, (N, X)),
    "K copies of the batch": (sample(lambda z, x: z, lambda t: t.repeat(4, 1)), 0, (N, X)),
    "each input K times": (sample(lambda z, x: z, lambda t: t.repeat_interleave(4, 0)), 0, (N, X)),
    "conditions behind it": (sample(lambda z, x: torch.cat([z, x[:, :4]], 1)), D + 4, (N, X)),
    "conditions in front": (sample(lambda z, x: torch.cat([x[:, :4], z], 1)), D + 4, (N, X)),
    "conditions, in a sequence": (sample(lambda z, x: torch.cat([z, x[..., :4]], -1)), D + 4, (8, 7, X)),
    "at each place, before conditions": (sample(at_places), D + 1, (N, X)),
    "at each step, before conditions": (sample(lambda z, x: at_places(z, x).transpose(0, 1)), D + 1, (N, X)),
    "time first": (sample(lambda z, x: z.transpose(0, 1)), 0, (8, 7, X)),
    "time and inputs in one axis": (sample(lambda z, x: z.flatten(0, 1)), 0, (8, 7, X)),
    "rounded to bfloat16": (sample(lambda z, x: z.bfloat16().float()), 0, (N, X)),
    "with dropout": (sample(lambda z, x: nn.functional.dropout(z, 0.2)), 0, (200, X)),
    "with masked inputs": (sample(lambda z, x: z * (x[:, :1] > -0.7)), 0, (N, X)),
    "σ clamped far away": (lambda model, x, m, s: (model.dec(noise(m, (s.clamp(-30, 20) / 2).exp())), m, s), 0, (N, X)),
}


@pytest.mark.parametrize("how", SAMPLES)
def test_the_sample_that_the_decoder_takes(how: str) -> None:
    forward, decoded, shape = SAMPLES[how]
    result = run(Toy(forward, decoded=decoded), rows(*shape), 50)
    assert result.names == [("'mu'", "'lv'", "log σ²")]


def test_dropout_on_the_sample_is_said() -> None:
    reading = run(Toy(SAMPLES["with dropout"][0]), rows(200, X), 50).readings[0]
    assert "after dropout has set some of its numbers to 0" in reading.evidence


def test_autocast() -> None:
    assert run(Toy(), rows(128, X), 30, amp=torch.bfloat16).names == [("'mu'", "'lv'", "log σ²")]


def test_a_module_that_samples() -> None:
    class Sampler(nn.Module):
        def forward(self, mean: Tensor, logvar: Tensor) -> Tensor:
            return noise(mean, (logvar / 2).exp())

    model = Toy(lambda model, x, m, s: (model.dec(model.sampler(m, s)), m, s))
    model.sampler = Sampler()
    assert run(model, rows(N, X)).names == [("'mu'", "'lv'", "log σ²")]


def test_batch_norm_behind_the_mean_is_part_of_it() -> None:
    model = Net(
        lambda s, x: s.dec(noise(s.bn(s.mu(x)), (s.lv(x) / 2).exp())),
        mu=nn.Linear(X, D), bn=nn.BatchNorm1d(D), lv=nn.Linear(X, D), dec=mlp(D, X),
    )  # fmt: skip
    assert run(model, rows(N, X)).names == [("'bn'", "'lv'", "log σ²")]


def test_a_spread_from_a_softplus_layer_is_read_as_it_is() -> None:
    assert run(softplus_layer(), rows(N, X)).names == [("'mu'", "'lv'", "σ")]


def chunked(cut: Callable[[Tensor], Any], decoder: nn.Module, encoder: nn.Module) -> Net:
    def forward(model: Any, x: Tensor) -> Any:
        mean, logvar = cut(model.enc(x))
        return model.dec(noise(mean, (logvar / 2).exp()))

    return Net(forward, enc=encoder, dec=decoder)


CUTS: dict[str, tuple[Net, tuple[int, ...], str]] = {
    "halves": (chunked(lambda q: q.chunk(2, -1), mlp(D, X), mlp(X, H, 2 * D)), (N, X), "half of its last axis"),
    "alternating": (
        chunked(lambda q: q.view(-1, D, 2).unbind(-1), mlp(D, X), mlp(X, H, 2 * D)), (N, X),
        "numbers of its last axis",
    ),
    "tokens": (
        chunked(lambda q: (q[:, 0], q[:, 1]), mlp(D, X), mlp(X, D)), (N, 5, X), "of its second axis",
    ),
    "channels": (
        chunked(lambda q: q.chunk(2, 1), nn.ConvTranspose2d(4, 3, 2, 2), nn.Conv2d(3, 8, 3, 2, 1)), (8, 3, 16, 16),
        "half of its channels",
    ),
    "a large map": (
        chunked(lambda q: q.chunk(2, 1), nn.Conv2d(8, 3, 1), nn.Conv2d(3, 16, 3, padding=1)), (1, 3, 160, 160),
        "half of its channels",
    ),
    "a map that the decoder takes as tokens": (
        chunked(
            lambda q: q.chunk(2, 1),
            Net(lambda s, z: s.l(z.flatten(2).transpose(1, 2).contiguous()), l=Net(lambda s, t: s.m(t), m=mlp(D, X))),
            nn.Conv2d(3, 2 * D, 4, 4),
        ), (8, 3, 16, 16), "half of its channels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cut", CUTS)
def test_mean_and_spread_in_one_tensor(cut: str) -> None:
    model, shape, words = CUTS[cut]
    (reading,) = run(model, rows(*shape)).readings
    assert reading.mean.module.startswith("enc")
    assert words in str(reading.mean)
    assert words in str(reading.spread)
    assert (reading.mean.cut.number, reading.spread.cut.number) == (0, 1)  # type: ignore[union-attr]
    assert reading.form.name == "log σ²"


def correlated(mean: Tensor, s: Tensor) -> td.Distribution:
    below = torch.tril(torch.ones(D, D) * 0.5, -1) * mean.tanh().unsqueeze(-1)
    return td.MultivariateNormal(mean, scale_tril=torch.diag_embed(s.exp()) + below)


DISTRIBUTIONS: dict[str, tuple[Callable[[Tensor, Tensor], td.Distribution], set[str]]] = {
    "Normal": (lambda m, s: td.Normal(m, nn.functional.softplus(s) + 1e-3), {"σ", "σ = softplus(·)"}),
    "Independent": (lambda m, s: td.Independent(td.Normal(m, s.exp()), 1), {"σ", "log σ"}),
    "Laplace": (lambda m, s: td.Laplace(m, s.exp()), {"Laplace's σ", "Laplace's log b"}),
    "MultivariateNormal": (correlated, {"σ"}),
}


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_a_distribution_as_output(kind: str) -> None:
    make, forms = DISTRIBUTIONS[kind]
    encoder = Net(lambda s, x: make(*s.body(x).chunk(2, -1)), body=mlp(X, H, 2 * D))
    model = Net(lambda s, x: s.dec(s.encoder(x).rsample()), encoder=encoder, dec=mlp(D, X))
    (reading,) = run(model, rows(128, X), 40).readings
    assert reading.mean.module.startswith("encoder")
    assert reading.form.name in forms
    assert reading.shape == (128, D)


def test_a_product_of_experts_is_read_where_it_is_given() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        (m1, l1), (m2, l2) = (e(x).chunk(2, -1) for e in (model.e1, model.e2))
        p1, p2 = (-l1).exp(), (-l2).exp()
        variance = 1 / (1 + p1 + p2)
        mean = variance * (m1 * p1 + m2 * p2)
        return model.dec(noise(mean, variance.sqrt())), mean, variance.log()

    model = Net(forward, e1=mlp(X, H, 2 * D), e2=mlp(X, H, 2 * D), dec=mlp(D, X))
    expected = ("the model's output[1]", "the model's output[2]", "log σ²")
    assert run(model, rows(128, X), 40).names == [expected]


def test_every_latent_of_a_hierarchy_is_named_the_nearest_to_the_decoder_last() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        m1, l1 = model.low.heads(x)
        z1 = noise(m1, (l1 / 2).exp())
        m2, l2 = model.high.heads(z1)
        return model.low.dec(torch.cat([z1, model.high.dec(noise(m2, (l2 / 2).exp()))], 1)), m1, l1, m2, l2

    model = Net(forward, low=Toy(decoded=D + X), high=Toy(latents=4))
    model.high.body[0] = mlp(D, H)
    names = run(model, rows(64, X), 40, latents=2).names
    assert sorted(names) == [("'high.mu'", "'high.lv'", "log σ²"), ("'low.mu'", "'low.lv'", "log σ²")]


def test_a_model_called_once_a_time_step() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        h, given = x.new_zeros(x.shape[1], H), []
        for part in x:
            mean, logvar = model.mu(torch.cat([part, h], 1)), model.lv(torch.cat([part, h], 1))
            z = noise(mean, (logvar / 2).exp())
            given.append(model.dec(torch.cat([z, h], 1)))
            h = model.rnn(z, h)
        return torch.stack(given)

    model = Net(
        forward, mu=nn.Linear(X + H, D), lv=nn.Linear(X + H, D), dec=mlp(D + H, X), rnn=nn.GRUCell(D, H)
    )  # fmt: skip
    assert run(model, rows(4, 64, X), 40).names == [("'mu'", "'lv'", "log σ²")]


def test_heads_at_zero_are_left_open_until_they_move() -> None:
    model = Toy()
    for head in (model.mu, model.lv):
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    result = run(model, rows(N, X), 10, lr=0.0)
    assert result.names == []
    assert run(model, rows(N, X), 100, lr=1e-2).names in ([], [("'mu'", "'lv'", "log σ²")])


def test_few_inputs_and_a_name() -> None:
    def hint(mean: Any, spread: Any, unit: str) -> float:
        return 1.0 if (mean.module, spread.module, unit) == ("mu", "lv", "logvar") else -1.0

    for inputs in (4, 8):
        names = run(Toy(), rows(inputs, X), 50, hint=hint).names
        assert names == [("'mu'", "'lv'", "log σ²")]
