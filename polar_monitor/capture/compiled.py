"""Questions that a forward asks while it is being compiled.

`assume_constant_result` runs each function once, at compile time, and builds its answer into the compiled code. The
functions are therefore free to use Python; the code that calls them is traced.
"""

from __future__ import annotations

import torch

from .. import _torch_compat
from .row_buffer import BUFFERS_BY_KEY

_compiled: set[str] = set()
"""Keys of the buffers whose taps have been compiled."""
_letters: dict[str, str] = {}
"""Letters of the axes that compiled code reads, by the key of the buffer."""
WRITABLE = {"tag_activation_checkpoint", "wrap_activation_checkpoint", "invoke_subgraph", "Function"}
"""Operators that take functions which may write to outer tensors; the last is `autograd.Function`."""


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def make_room(key: str, dimensions: int, device: torch.device) -> bool:
    """Give a buffer memory for compiled code, on the device of the model, unless compiled code has written to it.

    `attach` has made it where the layers show the number of dimensions.
    """
    buffer = BUFFERS_BY_KEY.get(key)
    if buffer is None:
        return False
    if buffer.traced is None:
        buffer.prepare_traced(dimensions, device)
    elif buffer.traced.device != device:
        cursor = buffer.traced_cursor
        if cursor is None or cursor.is_meta or not cursor[2]:
            buffer.prepare_traced(buffer.traced.shape[1], device)
    return True


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def may_not_write(key: str) -> bool:
    """Return True in a part of a forward that must not write to outer tensors.

    That is within vmap, grad and their like, whose tensors are wrapped, and within most operators that take functions
    (cond, map, scan). `key` makes it one question for each buffer, which notes that compiled code contains its tap.
    """
    _compiled.add(key)
    if _torch_compat.in_function_transform():
        return True
    return any(name not in WRITABLE for name in _torch_compat.operators_being_compiled())


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def note_letters(key: str, letters: str) -> bool:
    """Note how the axes of the tensors of this buffer are read."""
    _letters[key] = letters
    return True


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def stands_for_others(kind: type) -> bool:
    """Return True if tensors of this type stand for others, as those of DTensor do."""
    return _torch_compat.stands_for_others(kind)


def letters_of(key: str) -> str:
    """Return the letters of the axes that compiled code reads for this buffer; '' if none was compiled."""
    return _letters.get(key, "")


def is_compiled_in(key: str) -> bool:
    """Return True if a forward with the tap of this buffer has been compiled."""
    return key in _compiled
