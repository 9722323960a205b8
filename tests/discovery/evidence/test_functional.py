"""Codes that the model's own forward decodes without a module, and heads of a sample that no module takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from evidence_runs import H, Net, X, look_once, mlp
from torch import Tensor, nn
from torch.nn import functional

from polar_monitor.discovery.evidence.codes import Code, CodeJudge
from polar_monitor.discovery.evidence.unseen.hidden_pairs import hidden_lines

NODES, LATENTS = 120, 5
EDGES = torch.randint(0, NODES, (2, 400), generator=torch.Generator().manual_seed(1))


def adjacency() -> Tensor:
    dense = torch.eye(NODES)
    dense[EDGES[0], EDGES[1]] = dense[EDGES[1], EDGES[0]] = 1
    return dense / dense.sum(1, keepdim=True)


def graph(edges: bool = False) -> tuple[Tensor, Tensor]:
    return torch.randn(NODES, X), EDGES if edges else adjacency()


class Convolution(nn.Module):
    """A graph convolution: its layer gives another tensor of the same width."""

    def __init__(self, width: int, given: int) -> None:
        super().__init__()
        self.lin, self.near = nn.Linear(width, given), adjacency()

    def forward(self, x: Tensor) -> Tensor:
        return self.near @ self.lin(x)


def sampled(model: Any, x: Tensor) -> Tensor:
    h = model.body(x).relu()
    mean = model.conv_a(h)
    return mean + model.conv_b(h).exp() * torch.randn_like(mean)


def tied(model: Any, x: Tensor) -> Tensor:
    return functional.linear(model.encoder(model.body(x).relu()), model.encoder.weight.t())


def inner(model: Any, x: Tensor, _: Tensor) -> Tensor:
    z = model.encoder(x)
    return z @ z.T


def bilinear(model: Any, x: Tensor, _: Tensor) -> Tensor:
    z = model.encoder(x)
    return torch.einsum("id,de,je->ij", z, torch.arange(25.0).view(5, 5) / 9, z).sigmoid()


def of_edges(model: Any, x: Tensor, edges: Tensor) -> Tensor:
    z = model.encoder(x)
    return (z[edges[0]] * z[edges[1]]).sum(-1).sigmoid()


def convolution() -> dict[str, nn.Module]:
    return {"encoder": Convolution(X, LATENTS)}


CODES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any], str]] = {
    "inner products": (lambda: Net(inner, **convolution()), graph, "the inner product of each pair"),
    "a bilinear form": (lambda: Net(bilinear, **convolution()), graph, "the inner product of each pair"),
    "edges": (lambda: Net(of_edges, **convolution()), lambda: graph(True), "the inner products of pairs of the rows"),
    "a tied weight": (
        lambda: Net(
            lambda s, x: functional.linear(s.encoder(x), s.encoder.weight.t()), encoder=nn.Linear(X, LATENTS),
        ), lambda: torch.randn(128, X), "a linear function",
    ),
}  # fmt: skip


def judged(model: nn.Module, batch: Callable[[], Any]) -> tuple[Code | None, CodeJudge]:
    judge = CodeJudge()
    for _ in range(3):
        judge.add(look_once(model, batch()))
    return judge.best(), judge


@pytest.mark.parametrize("kind", CODES)
def test_a_code_is_seen_through_a_function_of_the_model_itself(kind: str) -> None:
    torch.manual_seed(0)
    make, batch, words = CODES[kind]
    code, judge = judged(make(), batch)
    assert code is not None
    assert code.is_confirmed
    assert code.mean.module == "encoder"
    assert f"the model's output is {words} of what 'encoder' gives" in code.evidence
    assert judge.gives_back


NONE: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]] = {
    "a sample": (
        lambda: Net(
            lambda s, x, _: (lambda z: z @ z.T)(sampled(s, x)),
            body=nn.Linear(X, H), conv_a=Convolution(H, LATENTS), conv_b=Convolution(H, LATENTS),
        ), graph,
    ),
    "a function of more than the code": (
        lambda: Net(lambda s, x, _: (lambda z: z @ z.T + x.sum(1, keepdim=True))(s.encoder(x)), **convolution()), graph,
    ),
    "what is not linear": (
        lambda: Net(lambda s, x: tied(s, x).square(), body=nn.Linear(X, H), encoder=nn.Linear(H, X)),
        lambda: torch.randn(128, X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_function_of_one_tensor_shows_no_code(kind: str) -> None:
    torch.manual_seed(0)
    make, batch = NONE[kind]
    assert judged(make(), batch)[0] is None


def test_a_policy_gives_nothing_back_and_a_graph_does() -> None:
    torch.manual_seed(0)
    assert judged(NONE["a sample"][0](), graph)[1].gives_back
    assert not judged(mlp(X, H, 4), lambda: torch.randn(64, X))[1].gives_back


@pytest.mark.parametrize("seed", range(3))
def test_the_heads_of_a_sample_that_no_module_takes_are_among_the_lines(seed: int) -> None:
    torch.manual_seed(seed)
    lines = hidden_lines(look_once(NONE["a sample"][0](), graph()), 6)
    by_line = dict(lines)
    variance = re.fullmatch(
        r"residual variance (.*) over the pairs of the model's output",
        by_line['attach(model, mean="conv_a", logstd="conv_b")'],
    )
    assert variance is not None
    assert float(variance[1]) == pytest.approx(1, abs=0.4)
    assert not any(".lin" in line for line in by_line)  # the convolution works on what its layer gives


def test_heads_whose_sample_a_function_maps_to_the_data_are_among_the_lines() -> None:
    def forward(s: Any, x: Tensor) -> Tensor:
        h = s.body(x).relu()
        z = s.one(h) + s.two(h).exp() * torch.randn(len(x), LATENTS)
        return functional.linear(functional.linear(z, s.one.weight.t()).relu(), s.body.weight.t())

    torch.manual_seed(0)
    model = Net(forward, body=nn.Linear(X, H), one=nn.Linear(H, LATENTS), two=nn.Linear(H, LATENTS))
    lines = [line for line, _ in hidden_lines(look_once(model, torch.randn(64, X)), 6)]
    assert lines[:2] == [f'attach(model, mean="one", {unit}="two")' for unit in ("logvar", "logstd")]
