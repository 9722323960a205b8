"""What no latent can be read through has a sentence of its own, with the line to write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from evidence_runs import Toy, X, look_once, run
from torch import Tensor, nn

from polar_monitor.discovery.evidence.codes import code_of
from polar_monitor.discovery.evidence.obstacles import is_listed


class Listed(nn.Module):
    """An autoencoder whose code is made one of a list; gradients go around that."""

    def __init__(self, nearest: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder, self.decoder, self.nearest = nn.Linear(X, 4), nn.Linear(4, X), nearest
        self.codes = nn.Parameter(torch.randn(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        given: Tensor = self.decoder(code + (self.nearest(code, self.codes) - code).detach())
        return given


LISTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "vector quantiser": lambda code, codes: codes[torch.cdist(code, codes).argmin(1)],
    "rounding": lambda code, codes: (3 * code.tanh()).round(),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_code_of_a_list_is_called_so_with_the_line_for_what_it_is_made_of(kind: str) -> None:
    torch.manual_seed(0)
    code, reason = code_of(look_once(Listed(LISTS[kind]), torch.randn(256, X)))
    assert code is None
    assert "what enters 'decoder' has the same few values again and again" in reason
    assert reason.endswith('write attach(model, mean="encoder")')


def test_values_that_are_not_finite_are_counted_where_they_are_first() -> None:
    x = torch.randn(64, X)
    x[:3, 1] = float("nan")
    assert code_of(look_once(Toy(), x))[1].startswith("3 of the first 64 rows of what enters the model hold NaN")
    model = Toy()
    with torch.no_grad():
        model.mu.weight.fill_(float("inf"))
    reason = code_of(look_once(model, torch.randn(64, X)))[1]
    assert reason.startswith("64 of the first 64 rows of what 'mu' gives hold NaN")
    assert "its inputs are finite" in reason


def test_repeats_of_the_data_are_no_list() -> None:
    data = torch.randn(4, 6).repeat(20, 1)
    assert not is_listed((data @ torch.randn(6, 3)).numpy(), data.numpy())
    assert is_listed(torch.randn(80, 3).round().numpy(), torch.randn(80, 6).numpy())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.half, torch.float64])
def test_models_of_other_precision_are_read(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    batches = torch.randn(256, X).to(kind)
    result = run(Toy().to(kind), lambda: batches)
    assert [reading.mean.module for reading in result.readings] == ["mu"]
