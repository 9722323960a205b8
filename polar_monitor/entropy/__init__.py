"""Entropies of arrays and of streams, in nats, each with its standard error and what made it hard.

Rows are arrays or CPU tensors of shape (n,) or (n, D), float16, bfloat16, float32 or float64, strided, memory-mapped
or an iterator of chunks; every dimension is by itself, but for `joint`. Rows with a NaN or ±inf are left out of the
dimension that has them, and counted.

Rows are taken to stand in the order in which they were drawn: where neighbours in time are alike, as in a window of
training steps, the standard errors are wider (`dependent=False`: rows are independent, in whatever order). Rows of one
of the `groups` (n,), such as the positions of one image, are dependent on each other wherever they stand.

The streaming twins have four verbs, `update`, `merge`, `snapshot` and `reset`. The empty state is the identity of
`merge`, which is associative and commutative: a stream may be split among processes and put together in any order.
Counts, rows and the entropies from them are then the same to the last bit; moments to rounding. (A histogram that
forgets, with `window=`, does so by quarters of each stream.)
"""

from ._estimate import Estimate as Estimate
from ._estimate import JointEstimate as JointEstimate
from ._histogram import OnlineHistogram as OnlineHistogram
from ._histogram import histogram as histogram
from ._joint import joint as joint
from ._mixture import information as information
from ._mixture import resolved as resolved
from ._moments import Moments as Moments
from ._moments import OnlineMoments as OnlineMoments
from ._nearest import knn as knn
from ._nearest import negentropy as negentropy
from ._window import SlidingWindow as SlidingWindow
