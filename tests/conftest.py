"""Shared set-up: the tests' own helpers import by name, small models do not fight over the cores, and examples repeat.

Hypothesis draws the same examples every time, so that a failure is the change's. To look for new ones:
`HYPOTHESIS_PROFILE=search python -m pytest`.
"""

import os
import sys
from pathlib import Path

import torch
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the subprocesses
torch.set_num_threads(1)
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))
