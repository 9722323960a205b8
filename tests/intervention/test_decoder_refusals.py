"""The line that the message about a decoder holds works when it is written as it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor.errors import PolarMonitorError, PolarMonitorWarning
from polar_monitor.intervention.decoder_call import DecoderCall

CODES = torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
ROWS: dict[str, Any] = {
    "label": torch.ones(256, 2),
    "condition": torch.ones(256, 2),
    "tokens": torch.zeros(256, 5, dtype=torch.long),
    "device": "cpu",
}
"""What a user has, by the names that the messages give it."""


def layers(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 12))


class Decoder(nn.Module):
    """Layers of the code and two more numbers, by default none."""

    def __init__(self, more: int = 0) -> None:
        super().__init__()
        self.net = layers(3 + more)


class Positional(Decoder):
    def forward(self, code: Tensor, label: Tensor) -> Any:
        return self.net(torch.cat([code, label], 1))


class ByName(Decoder):
    def forward(self, code: Tensor, *, label: Tensor, scale: float = 1.0) -> Any:
        return scale * self.net(torch.cat([code, label], 1))


class MaybeNone(Decoder):
    def forward(self, code: Tensor, label: Tensor | None = None) -> Any:
        return self.net(torch.cat([code, label], 1))  # type: ignore[list-item]


class OneTensor(Decoder):
    def forward(self, both: Tensor) -> Any:
        return self.net(both)


class Mapping(Decoder):
    def forward(self, code: Tensor) -> Any:
        return {"sample": self.net(code)}


class Pair(Decoder):
    def forward(self, code: Tensor) -> Any:
        return self.net(code), None


class Distribution(Decoder):
    def forward(self, code: Tensor) -> Any:
        return torch.distributions.Normal(self.net(code), 1.0)


class Holder:
    """A result with its tensor as an attribute."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


class Fields(Decoder):
    def forward(self, code: Tensor) -> Any:
        return Holder(self.net(code))


class OnlyInTraining(Decoder):
    def forward(self, code: Tensor) -> Any:
        if not self.training:
            raise RuntimeError("call generate() in eval mode")
        return self.net(code)


class OneNumber(Decoder):
    def forward(self, code: Tensor) -> Any:
        return self.net(code).mean()


class Autoregressive(nn.Module):
    """Logits of the next tokens or, without earlier ones, tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell, self.output = nn.Embedding(7, 4), nn.GRU(4, 3, batch_first=True), nn.Linear(3, 7)

    def logits(self, code: Tensor, tokens: Tensor) -> Any:
        return self.output(self.cell(self.embedding(tokens), code[None].contiguous())[0])


class Teacher(Autoregressive):
    def forward(self, code: Tensor, tokens: Tensor) -> Any:
        return self.logits(code, tokens)


class Sampler(Autoregressive):
    def forward(self, code: Tensor, tokens: Tensor | None = None) -> Any:
        start = torch.zeros(len(code), 1, dtype=torch.long)
        return self.logits(code, start).argmax(-1) if tokens is None else self.logits(code, tokens)


CASES: dict[str, tuple[nn.Module, str]] = {
    "a condition": (Positional(2), "label[: len(z)]"),
    "one by its name": (ByName(2), "label=label[: len(z)]"),
    "one that may be none": (MaybeNone(2), "label=label[: len(z)]"),
    "one tensor of both": (OneTensor(2), "torch.cat([z, condition[: len(z)]], 1)"),
    "a mapping": (Mapping(), '["sample"]'),
    "a tuple": (Pair(), "[0]"),
    "a distribution": (Distribution(), ".mean"),
    "an object": (Fields(), ".logits"),
    "no eval mode": (OnlyInTraining(), "model.part.decoder.net(z)"),
    "one number": (OneNumber(), "model.part.decoder.net(z)"),
    "earlier tokens": (Teacher(), "tokens[: len(z)]"),
    "tokens": (Sampler(), "tokens=tokens[: len(z)]"),
}


def owner(decoder: nn.Module) -> nn.Module:
    """A model with the decoder at a place of its own."""
    model, part = nn.Module(), nn.Module()
    part.add_module("decoder", decoder)
    model.add_module("part", part)
    return model


def line(message: str) -> str:
    """The callable that the message tells to write."""
    found = re.search(r"decoder=(lambda z: .*?)(; the labels|$)", message)
    assert found is not None, message
    return found[1]


@pytest.mark.parametrize("case", CASES)
def test_the_line_works_as_it_stands(case: str) -> None:
    decoder, words = CASES[case]
    model = owner(decoder)
    call = DecoderCall.of("part.decoder", model)
    with pytest.raises(PolarMonitorError) as raised, call.undisturbed():
        call(CODES[:32])
    written = line(str(raised.value))
    assert words in written
    assert "model.part.decoder" in written
    decoder = eval(written, {"torch": torch, "model": model, **ROWS})
    gain = polar_monitor.decoder_gain(decoder, CODES)
    assert (gain > 0).all()
    assert polar_monitor.classify(CODES, decoder=decoder).count("active") > 0


def test_numbers_on_another_device_are_named() -> None:
    far = nn.Linear(3, 2, device="meta")
    holder = [far]
    with pytest.raises(PolarMonitorError, match=r"another device than codes .*z\.to\(device\)"):
        polar_monitor.decoder_gain(lambda z: holder[0](z), CODES)


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        (nn.Linear(3, 2, device="meta"), r"model\.to_empty"),
        ("decoder", r"decoder=model\.decoder"),
        (3, r"decoder=model\.decoder"),
        (nn.LazyLinear(2), "first forward"),
    ],
)
def test_what_is_no_decoder_as_yet_says_what_is(decoder: Any, words: str) -> None:
    with pytest.raises(PolarMonitorError, match=words):
        polar_monitor.decoder_gain(decoder, CODES)


def test_a_place_that_is_no_name_is_written_so_that_it_is_found() -> None:
    model = nn.Sequential(nn.Linear(12, 3), Positional(2))
    call = DecoderCall.of(model[1], model)
    with pytest.raises(PolarMonitorError) as raised, call.undisturbed():
        call(CODES[:32])
    written = line(str(raised.value))
    assert 'model.get_submodule("1")(z' in written
    assert eval(written, {"model": model, **ROWS})(CODES[:32]).shape == (32, 12)


def test_a_conditional_decoder_in_a_training_is_named_with_the_line_and_the_line_gives_the_scale() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Linear(12, 3), Positional(2)

        def forward(self, x: Tensor) -> Any:
            return self.decoder(self.encoder(x), x[:, :2])

    def trained(**decoder: Any) -> polar_monitor.PolarMonitor:
        monitor = polar_monitor.attach(model, mean="encoder", sinks=(), every=10, max_overhead=1.0, **decoder)
        optimizer = torch.optim.SGD(model.parameters(), 1e-2)
        for _ in range(30):
            x = torch.randn(64, 12)
            optimizer.zero_grad()
            (model(x) - x).square().mean().backward()
            optimizer.step()
        monitor.detach()
        return monitor

    torch.manual_seed(0)
    model = Model()
    with pytest.warns(PolarMonitorWarning, match="needs more than the code") as caught:
        without = trained(decoder="decoder")
    assert len(caught) == 1
    assert without.regime().count("active") > 0  # type: ignore[union-attr]
    decoder = eval(line(str(caught[0].message)), {"model": model, **ROWS})
    snapshot = trained(decoder=decoder).snapshot()
    assert snapshot is not None
    assert (snapshot.gain > 0).all()
