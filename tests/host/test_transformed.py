"""Compiled forwards that must not write to what lies outside of them work as without the monitor, and leave no row.

These are function transforms, operators that take functions, and tensors that stand for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.utils.checkpoint import checkpoint
from watching import warned, watched

from polar_monitor import PolarMonitor
from polar_monitor.capture.compiled import may_not_write

X = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))
Forward = Callable[..., Any]
Compiler = Callable[[Forward], Forward]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def recorded(monitor: PolarMonitor) -> tuple[int, int, int, int]:
    with warned():  # of a silence
        monitor.evaluate()
    health = monitor.health()
    return health.calls, health.rows_seen, health.rows_dropped, health.errors


def flat(outputs: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, Tensor)]


class Heads(nn.Module):
    """Mean and log-variance without a draw."""

    def __init__(self) -> None:
        super().__init__()
        self.fc_mu, self.fc_logvar = nn.Linear(12, 4), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.fc_mu(x), self.fc_logvar(x)


class Branches(Heads):
    """The mean in one of two branches, the log-variance in both alike."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.cond(x.sum() > 0, lambda x: self.fc_mu(x), lambda x: self.fc_mu(-x), (x,))
        return mean, self.fc_logvar(x)


class Chosen(Heads):
    """As many rows as the data has it."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x[x[:, 0] > 0])


def loss(model: nn.Module) -> Forward:
    return lambda parameters, x: functional_call(model, parameters, (x,))[0].square().sum()


def parameters(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters()}


def mapped(model: nn.Module, compiler: Compiler) -> Any:
    return compiler(lambda x: vmap(model)(x))(X.reshape(4, 16, 12))


def mapped_outside(model: nn.Module, compiler: Compiler) -> Any:
    return vmap(compiler(model))(X.reshape(4, 16, 12))


def per_sample_gradients(model: nn.Module, compiler: Compiler) -> Any:
    return compiler(lambda p, x: vmap(grad(loss(model)), (None, 0))(p, x))(parameters(model), X)


def gradients(model: nn.Module, compiler: Compiler) -> Any:
    return compiler(lambda p, x: grad(loss(model))(p, x))(parameters(model), X)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def forward_derivatives(model: nn.Module, compiler: Compiler) -> Any:
    return compiler(lambda x, t: jvp(lambda x: model(x)[0], (x,), (t,)))(X, X)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("options", [{}, {"fullgraph": True}])
@pytest.mark.parametrize(
    "run", [mapped, mapped_outside, per_sample_gradients, gradients, forward_derivatives], ids=lambda f: f.__name__
)
def test_a_compiled_transform_gives_what_it_gives_without(run: Forward, options: dict[str, Any]) -> None:
    plain, model = Heads(), Heads()
    model.load_state_dict(plain.state_dict())
    results = [run(plain, lambda f: torch.compile(f, backend="eager", **options))]
    torch._dynamo.reset()
    monitor = watched(model)
    results.append(run(model, lambda f: torch.compile(f, backend="eager", **options)))
    assert all(map(torch.equal, *map(flat, results)))
    assert recorded(monitor) == (0, 0, 0, 0)


def test_what_is_not_transformed_is_recorded_as_before() -> None:
    """The answer to whether a forward is transformed is built into the code, and into that of no other forward."""
    model = Heads()
    monitor = watched(model)
    forward = torch.compile(model, backend="eager")
    vmap(forward)(X.reshape(4, 16, 12))
    forward(X)
    vmap(forward)(X.reshape(4, 16, 12))
    forward(X)
    assert recorded(monitor) == (2, 128, 0, 0)


@pytest.mark.parametrize("compiler", [lambda f: f, lambda f: torch.compile(f, backend="eager", fullgraph=True)])
def test_a_branch_works_as_without(compiler: Compiler) -> None:
    """`torch.cond` compiles its branches, also where nothing else is compiled."""
    plain, model = Branches(), Branches()
    model.load_state_dict(plain.state_dict())
    expected = compiler(plain)(X)
    torch._dynamo.reset()
    monitor = watched(model)
    assert all(map(torch.equal, compiler(model)(X), expected))
    calls, seen, _, errors = recorded(monitor)
    assert (calls, seen, errors) == (0, 0, 0)


def checkpointed(model: nn.Module) -> Forward:
    return lambda x: checkpoint(model, x, use_reentrant=False)


def with_a_backward_of_its_own(model: Any) -> Forward:
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
            ctx.save_for_backward(x, weight)
            return model.fc_mu(x)

        @staticmethod
        def backward(ctx: Any, *gradient: Tensor) -> Any:
            x, weight = ctx.saved_tensors
            return gradient[0] @ weight, gradient[0].T @ x

    return lambda x: (Own.apply(x, model.fc_mu.weight), model.fc_logvar(x))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [checkpointed, with_a_backward_of_its_own], ids=lambda f: f.__name__)
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_where_one_may_write_it_is_recorded(make: Callable[[nn.Module], Forward], backend: str) -> None:
    model = Heads()
    monitor = watched(model)
    torch.compile(make(model), backend=backend, fullgraph=True)(X)
    assert recorded(monitor) == (1, 64, 0, 0)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_batch_whose_size_only_the_data_tell_is_recorded(backend: str) -> None:
    model = Chosen()
    monitor = watched(model)
    forward = torch.compile(model, backend=backend, fullgraph=True)
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        rows = sum(forward(x)[0].shape[0] for x in (X, -X, X.abs(), -X.abs()))
    assert rows == 128
    assert recorded(monitor) == (4, 128, 0, 0)


class Wrapped(Tensor):
    """A tensor that stands for another, as DTensor does."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Wrapped:
        wrapped = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=inner.device)
        wrapped.inner = inner
        return wrapped  # type: ignore[return-value]

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], context: None, size: Any, stride: Any) -> Wrapped:
        return Wrapped(inner["inner"])

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "index_copy" in str(function):
            raise RuntimeError("mixed tensors")  # as DTensor does
        bare = torch.utils._pytree.tree_map_only(Wrapped, lambda t: t.inner, (args, kwargs or {}))
        return torch.utils._pytree.tree_map_only(Tensor, Wrapped, function(*bare[0], **bare[1]))


class Named(Tensor):
    """A subclass that adds nothing."""


def test_a_tensor_that_stands_for_another_is_passed_over() -> None:
    model = Heads()
    monitor = watched(model)
    forward = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        output = forward(Wrapped(X))[0]
        assert torch.equal(output.inner, nn.functional.linear(X, model.fc_mu.weight, model.fc_mu.bias))
    assert recorded(monitor) == (0, 0, 0, 0)


def test_a_subclass_that_adds_nothing_is_recorded() -> None:
    model = Heads()
    monitor = watched(model)
    torch.compile(model, backend="eager", fullgraph=True)(X.as_subclass(Named))
    assert recorded(monitor) == (1, 64, 0, 0)


@pytest.mark.parametrize("gone", ["torch._C._functorch", "torch._dynamo.symbolic_convert.InstructionTranslator"])
def test_without_the_private_names_of_torch_nothing_is_set_apart(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(gone)
    assert not may_not_write("0")
