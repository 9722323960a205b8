"""What latent dimensions are worth to a task downstream, passive ones too: scikit-learn probes, with controls.

A passive dimension is passive at the noise of its posterior. Its mean may still tell something, at a scale that a
regularised probe does not see until it is standardised. `compare` measures that. Shapes: latents (n, D), targets (n,).
"""

from .comparison import Comparison as Comparison
from .comparison import Difference as Difference
from .probing import compare as compare
