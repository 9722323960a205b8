"""The code is replaced where the decoder takes it, in models of many forms, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import polar_monitor
from polar_monitor import PolarMonitorError
from polar_monitor.discovery.request import LatentRequest
from polar_monitor.intervention.ablate import find_source
from polar_monitor.intervention.places import places_in
from polar_monitor.intervention.swap import SwappedForward

X = torch.randn(600, 12, generator=torch.Generator().manual_seed(1))


class Base(nn.Module):
    """A VAE whose encoder has moved far enough to be seen; subclasses decode."""

    samples_in_eval = True

    def __init__(self, latents: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(12, 16), nn.Tanh())
        self.fc_mu, self.fc_logvar = nn.Linear(16, latents), nn.Linear(16, latents)
        self.fc_mu.weight.data *= 4
        self.fc_logvar.weight.data *= 2
        self.fc_logvar.bias.data -= 1
        self.build(latents)

    def build(self, latents: int) -> None:
        self.decoder = nn.Sequential(nn.Linear(latents, 16), nn.Tanh(), nn.Linear(16, 12))

    def forward(self, x: Tensor) -> Any:
        h = self.body(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        drawn = self.training or self.samples_in_eval
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean) if drawn else mean
        return self.decode(z, x), mean, logvar

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(z)
        return output


class MeanInEval(Base):
    samples_in_eval = False


class Conditional(Base):
    """The decoder takes a condition beside the code."""

    def build(self, latents: int) -> None:
        self.decoder = nn.Sequential(nn.Linear(latents + 2, 16), nn.Tanh(), nn.Linear(16, 12))

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(torch.cat([z, x[:, :2]], 1))
        return output


class Reshaped(Base):
    """Convolutions take the code as a map of one pixel."""

    def build(self, latents: int) -> None:
        self.up = nn.ConvTranspose2d(latents, 12, 1)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.up(z.view(len(z), -1, 1, 1))
        return output.flatten(1)


class Twice(Base):
    """Two modules take the code."""

    def build(self, latents: int) -> None:
        self.one, self.two = nn.Linear(latents, 12), nn.Linear(latents, 12)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.one(z) + self.two(z).tanh()
        return output


class Named(Base):
    """The code is an argument with a name."""

    def build(self, latents: int) -> None:
        class Decoder(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.linear = nn.Linear(latents, 12)

            def forward(self, *, code: Tensor) -> Tensor:
                output: Tensor = self.linear(code + 0.0)
                return output

        self.decoder = Decoder()

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(code=z)
        return output


class Sampler(nn.Module):
    def forward(self, mean: Tensor, logvar: Tensor) -> Tensor:
        return mean + (0.5 * logvar).exp() * torch.randn_like(mean) if self.training else mean


class WithSampler(Base):
    """A module draws the sample; in eval mode it gives the mean back."""

    def build(self, latents: int) -> None:
        super().build(latents)
        self.sampler = Sampler()

    def forward(self, x: Tensor) -> Any:
        h = self.body(x)
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        return self.decode(self.sampler(mean, logvar), x), mean, logvar


class Steps(Base):
    """The code at each step of a sequence, beside the earlier numbers."""

    def build(self, latents: int) -> None:
        self.rnn, self.out = nn.GRU(latents + 1, 8, batch_first=True), nn.Linear(8, 1)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        before = functional.pad(x[:, :-1], (1, 0)).unsqueeze(2)
        h, _ = self.rnn(torch.cat([before, z.unsqueeze(1).expand(-1, 12, -1)], 2))
        output: Tensor = self.out(h).squeeze(2)
        return output


class Code(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 12))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.decode(self.encoder(x), x)
        return output

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(z)
        return output


class DataBeside(Base):
    """Untrained, with N(0, 1) data before the code: only the random numbers tell which columns are the sample."""

    def build(self, latents: int) -> None:
        for layer in (self.fc_mu, self.fc_logvar):
            layer.weight.data *= 1e-3
            layer.bias.data *= 0
        self.decoder = nn.Linear(latents + 12, 12)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.decoder(torch.cat([x, z], 1))
        return output


FORMS = [Base, MeanInEval, Conditional, Reshaped, Twice, Named, WithSampler, Steps, Code]


def first(output: Any) -> Tensor:
    tensor: Tensor = output if isinstance(output, Tensor) else output[0]
    return tensor


@pytest.mark.parametrize("build", FORMS)
def test_the_output_is_that_of_the_other_code(build: Any) -> None:
    model = build().train()
    forward = SwappedForward(model, X, find_source(model, X))
    with forward.undisturbed():
        latent = forward.latent()
        other = latent.code.roll(1, 0) * 1.5
        for code in (latent.code, other):
            assert torch.equal(first(forward(code)), model.decode(code, X))
    if latent.sigma is not None:
        residual = (latent.code - latent.mean) / latent.sigma
        assert abs(float(residual.var()) - 1) < 0.1
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("build", FORMS)
def test_every_form_has_a_worth(build: Any) -> None:
    worth = polar_monitor.ablate(build(), X, loss=lambda output, x: (first(output) - x).square().sum(1))
    assert np.isfinite(worth.worth).all()
    assert (worth.worth_se > 0).all()
    assert str(worth)


def test_the_worth_is_that_of_a_loop_by_hand() -> None:
    from polar_monitor.intervention.replacements import Replacements

    model = Base()

    def loss(output: Any, x: Tensor) -> Tensor:
        return (first(output) - x).square().sum(1)

    worth = polar_monitor.ablate(model, X, loss=loss, replace=("row", "mean"))
    forward = SwappedForward(model, X, find_source(model, X))
    with forward.undisturbed():
        latent = forward.latent()
        order = Replacements(latent).order
        partner = np.empty_like(order)
        partner[order] = np.roll(order, -1)
        before = loss(model.decode(latent.code, X), X)
        for j in range(4):
            rows, means = latent.code.clone(), latent.code.clone()
            rows[:, j] = latent.code[torch.from_numpy(partner), j]
            means[:, j] = latent.code[:, j].mean()
            for how, code in (("row", rows), ("mean", means)):
                by_hand = float((loss(model.decode(code, X), X) - before).double().mean())
                assert worth.by[how][0][j] == pytest.approx(by_hand, rel=1e-5, abs=1e-6)


def test_several_samples_of_one_forward_are_all_replaced() -> None:
    class Several(Base):
        def forward(self, x: Tensor) -> Any:
            outputs = [Base.forward(self, x) for _ in range(3)]
            return sum(output[0] for output in outputs) / 3, *outputs[0][1:]

    model = Several()
    forward = SwappedForward(model, X, find_source(model, X, LatentRequest("fc_mu", {"logvar": "fc_logvar"})))
    with forward.undisturbed():
        code = forward.latent().code.roll(1, 0)
        torch.testing.assert_close(first(forward(code)), model.decode(code, X))


def test_data_beside_the_code_are_not_taken_for_a_sample() -> None:
    model = DataBeside()
    forward = SwappedForward(model, X, find_source(model, X, LatentRequest("fc_mu", {"logvar": "fc_logvar"})))
    with forward.undisturbed():
        latent = forward.latent()
        code = latent.code.roll(1, 0)
        assert torch.equal(first(forward(code)), model.decode(code, X))


def test_a_map_is_replaced_channel_by_channel() -> None:
    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.mu, self.logvar = nn.Conv2d(1, 3, 3, 2, 1), nn.Conv2d(1, 3, 3, 2, 1)
            self.mu.weight.data *= 4
            self.logvar.weight.data *= 2
            self.decoder = nn.ConvTranspose2d(3, 1, 4, 2, 1)
            self.decoder.weight.data[2] = 0

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            mean, logvar = self.mu(x), self.logvar(x)
            return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar

    images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    worth = polar_monitor.ablate(Maps(), images, loss=lambda output, x: (output[0] - x).square().flatten(1).sum(1))
    assert len(worth.worth) == 3
    assert worth.worth[2] == 0
    assert worth.worth[0] > 3 * worth.worth_se[0]


def test_arguments_as_a_tuple_a_dict_or_alone() -> None:
    model = Base()
    worths = [
        polar_monitor.ablate(model, batch, loss=lambda output, _: (output[0] - X).square().sum(1))
        for batch in (X, (X,), [X], {"x": X})
    ]
    for worth in worths[1:]:
        assert (worth.worth == worths[0].worth).all()


@pytest.mark.parametrize(
    ("shape", "code", "count"),
    [
        ((8, 3), (8, 3), 1),
        ((8, 5), (8, 3), 2),
        ((8, 3, 1, 1), (8, 3), 1),
        ((8, 2, 6), (8, 6, 2), 2),
        ((24, 3), (8, 3), 2),
        ((5, 8, 3), (8, 3), 1),
        ((8, 7, 5), (8, 3), 2),
        ((9, 5), (8, 3), 0),
        ((8, 4), (8, 5), 0),
    ],
)
def test_places(shape: tuple[int, ...], code: tuple[int, ...], count: int) -> None:
    places = list(places_in(shape, code))
    assert len(places) >= count
    assert bool(places) == bool(count)
    tensor, new = torch.randn(shape), torch.randn(code)
    for place in places:
        changed = place.write(tensor, new)
        assert torch.equal(place.read(changed), new)
        assert not torch.equal(changed, tensor)


def test_a_code_that_no_module_takes_is_one_error() -> None:
    class Functional(Base):
        def build(self, latents: int) -> None:
            self.weight = nn.Parameter(torch.randn(12, latents))

        def decode(self, z: Tensor, x: Tensor) -> Tensor:
            return z @ self.weight.T

    model = Functional()
    monitor = polar_monitor.attach(model, mean="fc_mu", logvar="fc_logvar", sinks=())
    with pytest.raises(PolarMonitorError, match=r"no module takes it, or a sample of it.*ablate\(lambda z: …"):
        monitor.probe(X)
    monitor.detach()


def test_a_model_that_gives_several_codes_in_a_forward_is_one_error() -> None:
    class Stepwise(Base):
        def forward(self, x: Tensor) -> Any:
            return [Base.forward(self, x * scale) for scale in (1.0, 2.0)]

    with pytest.raises(PolarMonitorError, match="give several codes in one forward, as in a model that is called once"):
        polar_monitor.ablate(Stepwise(), X, mean="fc_mu", logvar="fc_logvar")


def test_a_sample_of_another_form_than_the_one_that_is_read_is_one_error() -> None:
    class Clamped(Base):
        def build(self, latents: int) -> None:
            super().build(latents)
            self.norm = nn.Identity()

        def forward(self, x: Tensor) -> Any:
            h = self.body(x)
            mean, logvar = self.norm(self.fc_mu(h)), self.fc_logvar(h)
            z = mean + 3 * (0.5 * logvar).exp() * torch.randn_like(mean)
            return self.decode(z, x), mean, logvar

    with pytest.raises(PolarMonitorError, match="a sample is drawn that is not mean"):
        polar_monitor.ablate(Clamped(), X, mean="fc_mu", logvar="fc_logvar")
