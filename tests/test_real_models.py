"""Models as they are written elsewhere: what `attach` finds in them, says of it, and records in training."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor import PolarMonitor, PolarMonitorError, PolarMonitorWarning
from polar_monitor.discovery import find
from polar_monitor.errors import UndecidedError

X, D = 12, 3


class Model(nn.Module):
    """Modules by name, and a forward given as a function of the model and its input."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def linear(wide: int = D, into: int = X) -> nn.Linear:
    return nn.Linear(into, wide)


def sample(mean: Tensor, std: Tensor) -> Tensor:
    return mean + std * torch.randn_like(mean)


def trained(model: nn.Module, shape: tuple[int, ...] = (X,), batch: int = 300, **options: Any) -> PolarMonitor:
    """Four steps."""
    torch.manual_seed(0)
    monitor = polar_monitor.attach(model, sinks=(), every=2, max_overhead=1.0, **{"strict": True, **options})
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(batch, *shape)).square().mean().backward()
        optimizer.step()
    return monitor


def pair(mean: str, spread: str, **more: nn.Module) -> Model:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.decoder(sample(getattr(self, mean)(x), getattr(self, spread)(x).mul(0.5).exp()))

    return Model(forward, **{mean: linear(), spread: linear(), "decoder": linear(X, D)}, **more)


class PytorchExample(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = linear(8), linear(D, 8), linear(D, 8)
        self.fc3, self.fc4 = linear(8, D), linear(X, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc1(x).relu()
        return self.fc4(self.fc3(sample(self.fc21(h), (0.5 * self.fc22(h)).exp())).relu()).sigmoid()


class Fields(dict[str, Tensor]):
    """Like the output objects of Pythae and of Transformers."""


class PythaeEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers, self.embedding, self.log_var = nn.Sequential(linear(8), nn.ReLU()), linear(D, 8), linear(D, 8)

    def forward(self, x: Tensor) -> Fields:
        h = self.layers(x)
        return Fields(embedding=self.embedding(h), log_covariance=self.log_var(h))


def pythae() -> Model:
    def forward(self: Any, x: Tensor) -> Tensor:
        out = self.encoder(x)
        return self.decoder(sample(out["embedding"], (0.5 * out["log_covariance"]).exp()))

    return Model(forward, encoder=PythaeEncoder(), decoder=linear(X, D))


class ScviEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mean_encoder, self.var_encoder = linear(8), linear(D, 8), linear(D, 8)

    def forward(self, x: Tensor) -> tuple[torch.distributions.Normal, Tensor]:
        h = self.encoder(x)
        q = torch.distributions.Normal(self.mean_encoder(h), (self.var_encoder(h).exp() + 1e-4).sqrt())
        return q, q.rsample()


def scvi() -> Model:
    return Model(lambda self, x: self.decoder(self.z_encoder(x)[1]), z_encoder=ScviEncoder(), decoder=linear(X, D))


class PyroEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = linear(8), linear(D, 8), linear(D, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.fc1(x).relu()
        return self.fc21(h), self.fc22(h).exp()


def pyro() -> Model:
    return Model(lambda self, x: self.decoder(sample(*self.encoder(x))), encoder=PyroEncoder(), decoder=linear(X, D))


def latent_diffusion(encoder: int = 2 * D, quantised: int = 2 * D, **more: nn.Module) -> Model:
    def forward(self: Any, x: Tensor) -> Tensor:
        mean, logvar = self.quant_conv(self.encoder(x)).chunk(2, 1)
        return self.decoder(self.post_quant_conv(sample(mean, (0.5 * logvar).exp())))

    return Model(
        forward,
        encoder=nn.Conv2d(2, encoder, 3, 2, 1),
        quant_conv=nn.Conv2d(encoder, quantised, 1),
        post_quant_conv=nn.Conv2d(D, D, 1),
        decoder=nn.ConvTranspose2d(D, 2, 4, 2, 1),
        **more,
    )


class DisentEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = linear(2 * D)

    def forward(self, x: Tensor) -> Any:
        return Disent(*self.body(x).chunk(2, -1))


@dataclass
class Disent:
    z_mean: Tensor
    z_logvar: Tensor


class Sentence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder_rnn = nn.LSTM(X, 8, batch_first=True)
        self.hidden2mean, self.hidden2logv, self.outputs2vocab = linear(D, 8), linear(D, 8), linear(X, D)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder_rnn(x)[1][0][-1]
        return self.outputs2vocab(sample(self.hidden2mean(h), (0.5 * self.hidden2logv(h)).exp()))


class Convolutional(nn.Module):
    def __init__(self, heads: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.mu, self.logvar, self.decoder = heads(), heads(), nn.Conv1d(D, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(sample(self.mu(x), (0.5 * self.logvar(x)).exp()))


def halves(*, std: bool = False) -> Model:
    def forward(self: Any, x: Tensor) -> Tensor:
        mean, spread = self.encoder(x).chunk(2, -1)
        return self.decoder(sample(mean, nn.functional.softplus(spread) if std else (0.5 * spread).exp()))

    encoder = nn.Sequential(linear(8), nn.ReLU(), linear(2 * D, 8))
    return Model(forward, encoder=encoder, decoder=nn.Sequential(linear(8, D), nn.ReLU(), linear(X, 8)))


FOUND = {
    "PyTorch's example": (PytorchExample, {}, "mean from 'fc21', logvar from 'fc22'"),
    "Pythae": (pythae, {}, "mean from 'encoder.embedding', logvar from 'encoder.log_var'"),
    "Pythae's encoder": (pythae, {"latent": "encoder"}, "mean and variance from the output of 'encoder'"),
    "scVI": (scvi, {"latent": "z_encoder"}, "mean and variance from the output of 'z_encoder'"),
    "disent": (
        lambda: Model(
            lambda self, x: self.decoder(self.encoder(x).z_mean), encoder=DisentEncoder(), decoder=linear(X, D)
        ),
        {"latent": "encoder"},
        "mean and variance from the output of 'encoder'",
    ),
    "halves": (halves, {}, "mean and log-variance from the halves of 'encoder': it gives twice the 3 dimensions"),
    "halves in another unit": (
        lambda: halves(std=True),
        {
            "latent": "encoder",
            "mean": lambda out: out[:, :D],
            "std": lambda out: nn.functional.softplus(out[:, D:]),
        },
        "mean and std from the output of 'encoder', as the arguments say",
    ),
    "named": (lambda: pair("fc_mu", "fc_var"), {"mean": "fc_mu", "logvar": "fc_var"}, "logvar from 'fc_var': as the"),
    "squared": (lambda: pair("mu", "log_sigma2"), {}, "mean from 'mu', logvar from 'log_sigma2'"),
    "a likelihood beside it": (
        lambda: pair("z_mu", "z_logvar", likelihood=nn.ModuleDict({"mu": linear(), "logvar": linear()})),
        {},
        "mean from 'z_mu', logvar from 'z_logvar'",
    ),
}


@pytest.mark.parametrize(("build", "options", "said"), FOUND.values(), ids=FOUND)
def test_found_said_and_recorded(build: Callable[[], nn.Module], options: dict[str, Any], said: str) -> None:
    monitor = trained(build(), **options)
    assert said in monitor.explain()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.rows, snapshot.independent) == (D, 1200, 1200)
    assert snapshot.posterior_variance is not None
    assert ((snapshot.posterior_variance > 0) & (snapshot.posterior_variance < 5)).all()


def test_a_sentence_model_has_a_latent_a_sentence() -> None:
    monitor = trained(Sentence(), (5, X))
    assert "mean from 'hidden2mean', logvar from 'hidden2logv'" in monitor.explain()
    assert monitor.snapshot().rows == 1200  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "heads",
    [lambda: nn.Conv1d(2, D, 1), lambda: nn.Sequential(nn.Conv1d(2, D, 1), nn.BatchNorm1d(D), nn.Tanh())],
    ids=["conv", "sequential"],
)
def test_convolutional_heads_have_a_dimension_a_channel(heads: Callable[[], nn.Module]) -> None:
    snapshot = trained(Convolutional(heads), (2, 6), window=8192).snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.rows, snapshot.independent) == (D, 4 * 1200, 1200)


@pytest.mark.parametrize("options", [{}, {"latent": "quant_conv"}], ids=["found", "named"])
def test_latent_diffusion_counts_images_and_reads_behind_the_quant_conv(options: dict[str, Any]) -> None:
    monitor = trained(latent_diffusion(), (2, 4, 4), window=8192, **options)
    assert "'quant_conv'" in monitor.explain()
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert (snapshot.dimensions, snapshot.independent, snapshot.rows) == (D, 1200, 4 * 1200)


def test_halves_of_one_dimensional_convolutions_are_channels() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.decoder(sample(*self.encoder(x).chunk(2, 1)))

    model = Model(forward, encoder=nn.Conv1d(2, 2 * D, 1), decoder=nn.Conv1d(D, 2, 1))
    assert trained(model, (2, 8)).snapshot().dimensions == D  # type: ignore[union-attr]


def test_a_scale_read_as_a_log_variance_is_noticed() -> None:
    """Pyro's encoders return (loc, scale); a pair is documented to be (mean, log-variance)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trained(pyro(), batch=1200, latent="encoder")
    told = " ".join(str(warning.message) for warning in caught)
    assert "every variance is 1 or more" in told or 'attach(model, mean="encoder.fc21", logstd="encoder.fc22")' in told
    right = trained(pyro(), latent="encoder", mean=lambda out: out[0], std=lambda out: out[1]).snapshot()
    assert right is not None
    assert (right.posterior_variance < 5).all()


UNIT = r'(?s)may output log σ², σ², σ or log σ.*mean="{m}", logvar="{s}".*mean="{m}", var="{s}".*mean="{m}", std="{s}"'


def question(model: nn.Module) -> str:
    """What the names leave open; the first forwards decide it."""
    with pytest.raises(UndecidedError) as asked:
        find.find(model, None, dict.fromkeys(("logvar", "var", "std", "logstd")), None)
    monitor = polar_monitor.attach(model, sinks=())
    try:
        explained = monitor.explain()
    finally:
        monitor.detach()
    assert explained.startswith(f"not decided yet, the first forwards will decide: {asked.value}")
    return str(asked.value)


ASKED = {
    "AntixK": (lambda: pair("fc_mu", "fc_var"), UNIT.format(m="fc_mu", s="fc_var")),
    "scVI": (
        scvi,
        UNIT.format(m="z_encoder.mean_encoder", s="z_encoder.var_encoder") + r'.*attach\(model, latent="z_encoder"\)',
    ),
    "Pyro": (pyro, r'(?s)attach\(model, latent="encoder"\).*attach\(model, mean="encoder"\)'),
    "quantised": (
        lambda: latent_diffusion(D, D, quantize=nn.Embedding(4, D)),
        r'(?s)no latent was found.*attach\(model, mean="encoder"\).*attach\(model, mean="quant_conv"\)',
    ),
    "layers between encoder and decoder": (
        lambda: Model(
            lambda self, x: x, encoder=linear(8), reduce=linear(2, 8), expand=linear(8, 2), decoder=linear(X, 8)
        ),
        r'(?s)no latent was found.*mean="encoder".*encoder, reduce, expand, decoder',
    ),
    "style and content": (
        lambda: pair("z_mu", "z_logvar", style_mu=linear(), style_logvar=linear()),
        r'(?s)more than one latent.*mean="z_mu", logvar="z_logvar", name="z_mu"\)\n'
        r'.*mean="style_mu", logvar="style_logvar", name="style_mu"\)$',
    ),
    "two of one parent": (
        lambda: pair("mu1", "logvar1", mu2=linear(), logvar2=linear()),
        r'more than one latent.*\n.*mean="mu1", logvar="logvar1", name="mu1"\)\n'
        r'.*mean="mu2", logvar="logvar2", name="mu2"\)$',
    ),
    "another variable": (lambda: pair("style_mu", "style_logvar"), r'another variable.*\n.*logvar="style_logvar"\)$'),
    "a spread elsewhere": (
        lambda: pair("mu", "spare", heads=nn.ModuleDict({"logvar": linear()})),
        r'(?s)no module beside it.*mean="mu", logvar="heads.logvar"',
    ),
    "a spread alone": (lambda: pair("first", "logvar"), r'mean="<module>", logvar="logvar"'),
    "a decoder's pair": (
        lambda: Model(lambda self, x: x, decoder=nn.ModuleDict({"mu": linear(), "logvar": linear()})),
        r"(?s)no latent was found.*belong to a decoder or a prior: decoder.mu, decoder.logvar",
    ),
    "a bottleneck of unknown output": (
        lambda: Model(lambda self, x: x, bottleneck=PyroEncoder()),
        r'expected one latent.*\n +attach\(model, mean="bottleneck"\)',
    ),
}


@pytest.mark.parametrize(("build", "said"), ASKED.values(), ids=ASKED)
def test_names_that_leave_a_choice_ask_with_the_line_to_write(build: Callable[[], nn.Module], said: str) -> None:
    assert re.search(said, question(build()))


@pytest.mark.parametrize(("build", "said"), ASKED.values(), ids=ASKED)
def test_every_proposed_line_can_be_written(build: Callable[[], nn.Module], said: str) -> None:
    lines = [line.split("   #")[0].strip() for line in question(build()).splitlines() if "attach(" in line]
    assert lines
    for line in lines:
        if "<module>" not in line:
            scope = {"model": build(), "attach": lambda model, **named: polar_monitor.attach(model, sinks=(), **named)}
            eval(line, scope)


def test_log_standard_deviations_are_offered_in_a_way_that_can_be_written() -> None:
    two = nn.ModuleDict({name: pair("mean", "log_std") for name in "ab"})
    assert 'attach(model, mean="a.mean", logstd="a.log_std", name="a")' in question(two)
    monitor = trained(two["a"], mean="mean", logstd="log_std")
    assert "logstd from 'log_std'" in monitor.explain()


@pytest.mark.parametrize(
    ("build", "options", "said"),
    [
        (lambda: pair("fc_mu", "fc_logvar"), {"latent": "fc_mu"}, "the name of 'fc_mu' says mean"),
        (lambda: pair("fc_mu", "fc_logvar"), {"latent": "fc_logvar"}, "the name of 'fc_logvar' says spread"),
        (lambda: pair("one", "two"), {"latent": "one"}, "gives 3 dimensions, which have no halves"),
        (lambda: pair("fc_mu", "fc_logvar"), {"mean": "fc_mue"}, 'Write mean="fc_mu", or'),
    ],
)
def test_a_wrong_name_is_refused_at_once(build: Callable[[], nn.Module], options: dict[str, Any], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        polar_monitor.attach(build(), sinks=(), **options)


class Samples(NamedTuple):
    embedding: Tensor


@pytest.mark.parametrize(
    ("output", "options", "said"),
    [
        (lambda m, s: (sample(m, s), m, s), {"latent": "encoder"}, "no third such tensor"),
        (lambda m, s: Samples(m), {"latent": "encoder"}, r"a spread beside the mean, got Samples\(embedding\)"),
        (lambda m, s: (m, s), {"mean": "encoder"}, "expected one tensor, got tuple: pass latent="),
        (
            lambda m, s: torch.distributions.Bernoulli(logits=m),
            {"latent": "encoder"},
            "a Normal or Laplace distribution",
        ),
    ],
    ids=["three alike", "mean only", "a pair for a mean", "discrete"],
)
def test_an_output_that_does_not_fit_is_counted_and_told(output: Any, options: dict[str, Any], said: str) -> None:
    """What a module returns is known only when it runs, so then nothing is raised but when strict."""

    class Encoder(PyroEncoder):
        def forward(self, x: Tensor) -> Any:
            return output(*super().forward(x))

    def forward(self: Any, x: Tensor) -> Tensor:
        self.encoder(x)
        return self.decoder(x)

    with pytest.raises(TypeError, match=said):
        trained(Model(forward, encoder=Encoder(), decoder=linear(X, X)), **options)
    with pytest.warns(PolarMonitorWarning, match="no latent seen from 'encoder'"):
        monitor = trained(Model(forward, encoder=Encoder(), decoder=linear(X, X)), strict=False, **options)
    health = monitor.health()
    assert (health.rows_seen, health.errors) == (0, 4)
    assert health.last_error.startswith("TypeError: expected")


def test_a_shared_module_is_found_by_each_of_its_names() -> None:
    model = pair("fc_mu", "fc_logvar")
    model.alias = model.fc_mu
    monitor = polar_monitor.attach(model, mean="alias", logvar="fc_logvar", sinks=())
    assert "mean from 'alias'" in monitor.explain()
