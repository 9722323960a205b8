"""Decoders that are no modules: the model's own forward relates the rows of a code, or maps it by a layer's weight.

No hook shows what such a decoder takes. But what it gives, or the logit of that, is linear in the code: an inner
product of nodes, a bilinear form, a tied weight. So the numbers say which tensor it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..noise import F64
from ..samples import fingerprint, is_constant
from ..seen import F32, Seen

MAX_COLUMNS = 256
"""Columns of an output that are compared."""
MIN_ROWS = 12
"""Rows beyond the columns of a code that the comparison needs."""
MAX_LEFT = 1e-3
"""Share of an output's size that a linear function of the code may leave: rounding."""
MAX_LOGIT = 8.0
"""Size of a logit up to which a probability in float32 gives it back."""
MAX_NODES, MAX_PAIRS, MIN_PAIRS = 1024, 2048, 32
"""Nodes of a graph whose products are compared, and most and fewest of the pairs that the model gives a number for."""
SAME_PRODUCT = 1e-5
"""Difference of two inner products that are the same, in units of the largest."""
PAIRS = "pairs of its inputs"


def relates_rows(entry: Seen, data: Seen, seen: Sequence[Seen]) -> bool:
    """Return True if the model itself gives a number for each pair of its inputs, or for each pair that it takes."""
    if not entry.is_output or entry.module != data.module or entry.block is None:
        return False
    rows = len(entry.block)
    if entry.shape == (data.shape[0],) * 2 and rows > 1:
        square = entry.block[:, :rows]
        takes_pairs = any(
            not other.is_output
            and other.module == data.module
            and (other.shape == entry.shape or (len(other.shape) == 2 and other.shape[0] == 2))
            for other in seen
        )
        return takes_pairs or bool(np.allclose(square, square.T, rtol=1e-3, atol=1e-5))
    return len(entry.shape) <= 2 and _pairs_of(entry, seen)


def code_through_function(seen: Sequence[Seen], data: Seen) -> tuple[Seen, Seen, str] | None:
    """Return the narrowest tensor of which the model's output is a function, that output, and the function in words."""
    outputs = [entry for entry in seen if entry.is_output and entry.module == data.module and entry.block is not None]
    for output in reversed(outputs):
        is_pair = relates_rows(output, data, seen)
        if not is_pair and output.row_size != data.row_size:
            continue
        for given in sorted(candidates(seen, data, output), key=lambda entry: (entry.row_size, -entry.order)):
            if _pairs_of(output, seen):
                if _are_products(output.block, given.block):
                    return given, output, "the inner products of pairs of the rows"
            elif _is_linear(output.block, given.block):
                return given, output, "the inner product of each pair" if is_pair else "a linear function"
    return None


def _pairs_of(output: Seen, seen: Sequence[Seen]) -> bool:
    """Return True if the model takes the two ends of as many pairs as an output has numbers."""
    ends = (2, int(np.prod(output.shape)))
    return any(entry.module == output.module and not entry.is_output and entry.shape == ends for entry in seen)


def candidates(seen: Sequence[Seen], data: Seen, output: Seen) -> Iterator[Seen]:
    """Yield tensors narrower than data and output, that some module gives and none takes."""
    taken = {fingerprint(entry.block) for entry in seen if not entry.is_output and entry.block is not None}
    width = output.row_size if len(output.shape) > 1 else data.row_size
    for entry in seen:
        if (
            not entry.is_output
            or entry.module == data.module
            or entry.block is None
            or entry.order > output.order > data.order
        ):
            continue
        narrow = 0 < entry.row_size < min(width, data.row_size) and entry.shape[0] == data.shape[0]
        if narrow and not is_constant(entry.block) and fingerprint(entry.block) not in taken:
            yield entry


def _forms(values: F64) -> Iterator[F64]:
    """Yield numbers as they are, and the logits of probabilities."""
    yield values
    if values.min() > 0 and values.max() < 1:
        yield np.log(values) - np.log1p(-values)


def _is_linear(output: F32 | None, code: F32 | None) -> bool:
    if output is None or code is None:
        return False
    count = min(len(output), len(code))
    y = output[:count].reshape(count, -1)[:, :MAX_COLUMNS].astype(np.float64)
    z = np.concatenate([code[:count].reshape(count, -1).astype(np.float64), np.ones((count, 1))], 1)
    if count < z.shape[1] + MIN_ROWS or not (np.isfinite(y).all() and np.isfinite(z).all()):
        return False
    for form in _forms(y):
        known = form[:, np.abs(form).max(0) < MAX_LOGIT] if form is not y else form
        if not known.size:
            continue
        left = known - z @ np.linalg.lstsq(z, known, rcond=None)[0]
        size = known.std(0)
        if size.max() > 0 and np.abs(left).max() <= MAX_LEFT * size.max():
            return True
    return False


def _are_products(output: F32 | None, code: F32 | None) -> bool:
    """Return True if each number is the inner product of some two rows."""
    if output is None or code is None or len(code) > MAX_NODES or output.size < MIN_PAIRS:
        return False
    z = code.reshape(len(code), -1).astype(np.float64)
    products = np.sort((z @ z.T)[np.triu_indices(len(z))])
    for form in _forms(output.reshape(-1)[:MAX_PAIRS].astype(np.float64)):
        known = form[np.abs(form) < MAX_LOGIT]
        if known.size < MIN_PAIRS:
            continue
        above = np.searchsorted(products, known).clip(1, len(products) - 1)
        apart = np.minimum(np.abs(products[above] - known), np.abs(products[above - 1] - known))
        if apart.max() <= SAME_PRODUCT * np.abs(products).max():
            return True
    return False
