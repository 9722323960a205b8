"""A decoder is called as it is, and nothing of the call stays behind."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polar_monitor.errors import PolarMonitorError
from polar_monitor.intervention.decoder_call import DecoderCall


def old_norms(wrap: str, layer: nn.Linear) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return getattr(nn.utils, wrap)(layer)


DECODERS = {
    "spectral norm": lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 8)), nn.ReLU()),
    "spectral norm by hooks": lambda: nn.Sequential(old_norms("spectral_norm", nn.Linear(3, 8)), nn.ReLU()),
    "weight norm": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 8)), nn.ReLU()),
    "weight norm by hooks": lambda: nn.Sequential(old_norms("weight_norm", nn.Linear(3, 8)), nn.ReLU()),
    "batch norm": lambda: nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU()),
    "dropout": lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5)),
    "a counter and a cache": lambda: Counting(),
}


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(3, 8), 0

    def forward(self, code: Tensor) -> Tensor:
        self.calls += 1
        self.kept = self.layer(code)
        return self.kept + torch.rand_like(self.kept)


def state_of(module: nn.Module) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, part in module.named_modules():
        for word, value in vars(part).items():
            if isinstance(value, Tensor | bool | int | float):
                state[f"{name}.{word}"] = (id(value), value.detach().clone() if isinstance(value, Tensor) else value)
    return state | {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("kind", DECODERS)
def test_a_call_changes_nothing(kind: str) -> None:
    torch.manual_seed(0)
    module = DECODERS[kind]().train()
    module[0].eval() if isinstance(module, nn.Sequential) else None
    codes = torch.randn(16, 3)
    module(codes)
    before, random = state_of(module), torch.get_rng_state()
    call = DecoderCall.of(module)
    with call.undisturbed():
        assert not any(part.training for part in module.modules())
        first, second = call(codes), call(codes)
    assert torch.equal(first, second)
    assert not first.requires_grad
    after = state_of(module)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) if isinstance(value, Tensor) else str(value) == str(after[name]), name
    assert torch.equal(random, torch.get_rng_state())
    assert all(weight.grad is None for weight in module.parameters())


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(8, 3), nn.Linear(3, 8)
        self.training_at_call: list[bool] = []

    def decode(self, code: Tensor) -> Tensor:
        self.training_at_call.append(self.training)
        return self.decoder(code)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_decoder_is_a_module_a_name_or_a_callable() -> None:
    model, codes = Model(), torch.randn(5, 3)
    expected = model.decoder(codes)
    for decoder in (model.decoder, "decoder", model.decode, lambda z: model.decode(z), torch.compile(model.decoder)):
        call = DecoderCall.of(decoder, model)
        with call.undisturbed():
            assert torch.equal(call(call.codes(codes.double().numpy())), expected)
    assert model.training_at_call == [False, False]
    assert model.training


def test_the_modules_that_a_callable_reaches_are_in_eval_mode() -> None:
    class Holder:
        def __init__(self) -> None:
            self.net = Model()

        def decode(self, code: Tensor) -> Tensor:
            return self.net.decode(code)

    holder = Holder()
    call = DecoderCall.of(holder.decode)
    with call.undisturbed():
        call(torch.randn(2, 3))
    assert holder.net.training_at_call == [False]


class Conditional(nn.Module):
    def forward(self, code: Tensor, condition: Tensor) -> Tensor:
        return code + condition


class Fails(nn.Module):
    def forward(self, code: Tensor) -> Tensor:
        if not self.training:
            raise RuntimeError("only while training")
        return code


def decoded(decoder: Any) -> Tensor:
    call = DecoderCall.of(decoder)
    with call.undisturbed():
        return call(torch.randn(4, 3))


REFUSED = {
    "needs more than the code": (Conditional(), "z: model.decoder"),
    "gives tuple of 2": (lambda z: (z, z), r"\[0\]"),
    "gives dict with sample": (lambda z: {"sample": z}, r"\.sample|sample"),
    "gives torch.int64": (lambda z: z.argmax(-1), "autoregressive"),
    "only while training": (Fails(), "decode"),
    "one row for each code": (lambda z: z.sum(0), "one row"),
    "expected a module, its name or a callable": (3, "int"),
    "got the name": ("decoder", "callable"),
    "has none yet": (nn.Linear(3, 8, device="meta"), "weights with values"),
}


@pytest.mark.parametrize("found", REFUSED)
def test_a_decoder_that_cannot_be_called_says_what_to_write(found: str) -> None:
    decoder, remedy = REFUSED[found]
    with pytest.raises(PolarMonitorError, match=found) as raised:
        decoded(decoder)
    assert raised.match(remedy)


def test_the_name_of_no_module_lists_those_that_are_there() -> None:
    with pytest.raises(PolarMonitorError, match="'encoder', 'decoder'"):
        DecoderCall.of("dec", Model())


def test_codes_take_the_precision_of_the_weights() -> None:
    call = DecoderCall.of(nn.Linear(3, 2).double())
    assert call.codes(np.ones((2, 3), np.float32)).dtype == torch.float64
    assert DecoderCall.of(lambda z: z).codes(np.ones((2, 3))).dtype == torch.float32
