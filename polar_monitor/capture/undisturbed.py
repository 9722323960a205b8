"""A forward of the user's model that leaves nothing behind: for a batch that somebody wants to see during training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._torch_compat import force_eager, same_version


@contextmanager
def undisturbed(model: nn.Module, evaluating: bool = True, waits: bool = True) -> Iterator[None]:
    """Run a model in eval mode, eagerly and without gradient; then put all back, also after an exception.

    Without `evaluating` its modules stay in the modes that they are in. If `waits`, buffers are compared with what they
    were, for which another device has to finish; otherwise all are written, and those that expand one number only if
    they count a change.

    What is put back: the training flag of each module, all buffers, attributes that are tensors or numbers, and the
    states of the random number generators of PyTorch (of all devices), NumPy and Python. `model.eval()` is not called,
    since a model may do more in it.
    """
    with ExitStack() as stack:
        stack.enter_context(same_random_numbers())
        stack.enter_context(_same_buffers(model, waits))
        stack.enter_context(_same_attributes(model))
        if evaluating:
            stack.enter_context(_eval_mode(model))
        stack.enter_context(_no_autocast_cache())
        stack.enter_context(force_eager())
        stack.enter_context(torch.no_grad())
        yield


def call(model: nn.Module, batch: Any) -> Any:
    """Call a model with a batch: a mapping of keyword arguments, a tuple or list of arguments, or the only argument."""
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(*batch) if isinstance(batch, tuple | list) else model(batch)


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def _same_buffers(model: nn.Module, waits: bool) -> Iterator[None]:
    """Put changed buffers back. Those that did not change count no change: a backward may be waiting for them."""
    tables = [(module._buffers, dict(module._buffers)) for module in model.modules()]
    tensors = {id(tensor): tensor for _, table in tables for tensor in table.values() if tensor is not None}
    copies = [(tensor, tensor.detach().clone(), _version(tensor)) for tensor in tensors.values()]
    try:
        yield
    finally:
        for tensor, copy, version in copies:
            # A batch norm in training changes its statistics without counting it.
            counts_none = version is not None and _version(tensor) == version
            uncounted: AbstractContextManager[Any] | None = nullcontext()
            if counts_none and waits and torch.equal(tensor, copy):
                continue
            if counts_none and not waits:
                uncounted = None if 0 in tensor.stride() else same_version(tensor)
            if uncounted is not None:
                with uncounted, torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.copy_(copy)
        for table, before in tables:
            if {name: id(tensor) for name, tensor in table.items()} != {name: id(t) for name, t in before.items()}:
                table.clear()
                table.update(before)


def _version(tensor: Tensor) -> int | None:
    """Return the number of changes in place; None for a tensor that does not count them."""
    return None if tensor.is_inference() else tensor._version


@contextmanager
def _same_attributes(model: nn.Module) -> Iterator[None]:
    """Put changed attributes back that are tensors or numbers: counters, and weights that a hook computes."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        yield
    finally:
        for module, values in before:
            now = vars(module)
            for name in [name for name, value in now.items() if name not in values and isinstance(value, Tensor)]:
                del now[name]
            for name, value in values.items():
                if isinstance(value, Tensor | int | float) and now.get(name) is not value:
                    now[name] = value


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Put the states of all random number generators back at the end."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if in_use else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


@contextmanager
def _no_autocast_cache() -> Iterator[None]:
    """Do not use the cache of autocast: some versions of torch keep weights that are cast without gradient."""
    enabled = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(enabled)
