"""Small data sets, drawn from a seed or shipped with scikit-learn; nothing is downloaded.

Inputs are float32 tensors (n, inputs), images flattened; factors are float64 arrays (n, f).
"""

from ._auxiliary import auxiliary as auxiliary
from ._conditional import conditional as conditional
from ._digits import digits as digits
from ._sprites import SIZE as SIZE
from ._sprites import sprites as sprites
