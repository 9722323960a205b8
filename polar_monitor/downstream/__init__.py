"""Value of latent dimensions for a task downstream, also of passive ones: scikit-learn probes, with controls.

A passive dimension is passive at the noise of its posterior. Its mean may still carry information, at a scale that a
regularised probe does not see until it is standardised. `compare` measures that. Shapes: latents (n, D), targets (n,).

`latent_statistics` has the scale of a latent that a diffusion model is trained in, for `monitor.latent_statistics()`.
"""

from .comparison import Comparison as Comparison
from .comparison import Difference as Difference
from .probing import compare as compare
