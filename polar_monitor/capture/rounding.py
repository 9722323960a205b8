"""Compiled code whose rounding a tap would change: nothing is recorded there, and the reason is kept for a warning.

A backend that fuses operations keeps bfloat16 and float16 values in float32 between them. To record such a value it
must be stored, and what follows then reads the rounded number, so the training would go another way. What is stored
anyway may be recorded: the result of a matrix product or a convolution, all of it or a part, or an input of the graph.
Values in float32 are stored as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.fx import Node

from .. import _torch_compat

EAGER_BACKENDS = ("eager", "aot_eager", "cudagraphs", "pre_dispatch_eager")
"""First parts of the names of backends that run each operation by itself, as eager forwards do."""
ROUNDS_AS_EAGER = "emulate_precision_casts"
"""Option of inductor that rounds after each operation."""
FUSES_PRODUCTS = ("max_autotune", "max_autotune_gemm")
"""Options of inductor with which what follows a matrix product may be computed before its result is stored."""
STORED = {
    "linear", "addmm", "mm", "matmul", "bmm", "baddbmm", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d",
}  # fmt: skip
"""Operations whose results are stored before anything else is computed from them."""
PARTS = {
    "chunk", "split", "tensor_split", "unbind", "getitem", "select", "narrow", "view", "reshape", "flatten",
    "unflatten", "squeeze", "unsqueeze", "permute", "transpose", "movedim", "swapaxes", "t", "detach", "contiguous",
}  # fmt: skip
"""Operations that only select or arrange numbers."""
IN_PLACE = {"setitem", "iadd", "isub", "imul", "itruediv", "ifloordiv", "ipow", "imod", "imatmul", "iand", "ior"}

_unrecorded: dict[str, str] = {}
"""Type of the numbers that were not recorded, by the key of the buffer."""


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def changes_rounding(key: str, dtype: str) -> bool:
    """Return True if recording the tensor of the newest operation, a `detach`, changes what is computed from it."""
    if is_stored(_torch_compat.latest_operation(), *_torch_compat.compiling_backend()):
        return False
    _unrecorded[key] = dtype
    return True


def reason_unrecorded(keys: Iterable[str]) -> str:
    """Return why compiled code does not record the numbers of one of these buffers, and what to do; '' if it does."""
    dtype = next((_unrecorded[key] for key in keys if key in _unrecorded), "")
    if not dtype:
        return ""
    option = f"compile with options={{'{ROUNDS_AS_EAGER}': True}} and no mode, "
    return (
        f"the model runs compiled in {dtype}, and recording this latent there would change the training's rounding: "
        f"{'' if _torch_compat.inductor_option(ROUNDS_AS_EAGER) is None else option}name the layer before the last "
        "operation (mean='…'), or call monitor.observe(mean, logvar=…) in the loop"
    )


def is_stored(node: Node | None, backend: str, options: object) -> bool:
    """Return True if the tensor of `node`, in low precision, is stored by compiled code with and without a tap."""
    if backend.startswith(EAGER_BACKENDS):
        return True
    if node is None:
        return False
    given = options if isinstance(options, dict) else {}
    option = {name: given.get(name, _torch_compat.inductor_option(name)) for name in (ROUNDS_AS_EAGER, *FUSES_PRODUCTS)}
    fuses_products = any(option[name] for name in FUSES_PRODUCTS)
    if backend == "inductor" and option[ROUNDS_AS_EAGER] and not fuses_products:
        return True
    source: Node = node
    while source.op in ("call_function", "call_method") and _name(source) in PARTS:
        if not source.args or not isinstance(source.args[0], Node):
            return False
        source = source.args[0]
    if source.op not in ("placeholder", "get_attr") and (fuses_products or not _is_product(source)):
        return False
    return not _is_changed_in_place(source)


def _name(node: Node) -> str:
    """Return the name of the function or method that a node calls, without that of its module."""
    return str(node.target if isinstance(node.target, str) else getattr(node.target, "__name__", ""))


def _is_product(node: Node) -> bool:
    """Return True for an operation, or a layer that is one operation of the graph, whose result is stored."""
    if node.op != "call_module":
        return _name(node) in STORED
    owner = node.graph.owning_module
    try:
        layer = None if owner is None else owner.get_submodule(str(node.target))
    except AttributeError:
        return False
    return isinstance(layer, torch.nn.Linear | torch.nn.modules.conv._ConvNd)


def _is_changed_in_place(source: Node) -> bool:
    """Return True if an operation has changed these numbers, or a part of them, since they were stored."""
    waiting = [source]
    while waiting:
        for user in waiting.pop().users:
            name = _name(user)
            if name in PARTS:
                waiting.append(user)
            elif name in IN_PLACE or (name.endswith("_") and not name.endswith("__")):
                return True
            elif user.kwargs.get("inplace") or user.kwargs.get("out") is not None or True in user.args[1:]:
                return True  # relu(x, True)
    return False
