"""Entropies of arrays and of streams, in nats, each with its standard error and flags for difficult data.

Rows are arrays or CPU tensors of shape (n,) or (n, D), of type float16, bfloat16, float32 or float64. They may be
strided, memory-mapped or an iterator of chunks. Every function except `joint` treats each dimension separately. A row
with a NaN or ±inf is left out of that dimension, and counted.

The functions assume that rows are in the order in which they were drawn. If neighbours in time are correlated, as in a
window of training steps, the standard errors are wider. `dependent=False` says that rows are independent, in any order.
Rows of one of the `groups` (n,), such as the positions of one image, depend on each other in any order.

The streaming classes have four verbs: `update`, `merge`, `snapshot` and `reset`. `merge` is associative and
commutative, and the empty state is its identity: a stream may be split among processes and merged in any order. Counts,
rows and the entropies from them are then the same to the last bit; moments are the same to rounding. (A histogram with
`window=` drops old rows by quarters of each stream.)
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
