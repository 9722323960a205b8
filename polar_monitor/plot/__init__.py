"""Pictures of runs by matplotlib (`pip install matplotlib`): `lifelines`, `plane` and `spectrum`.

Each takes the folder of a run, its polar.jsonl, or the document of a run, and returns a matplotlib figure.
"""

from .lifelines import lifelines as lifelines
from .plane import plane as plane
from .spectrum import spectrum as spectrum

__all__ = ["lifelines", "plane", "spectrum"]
