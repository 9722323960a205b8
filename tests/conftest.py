"""Shared set-up: the tests' own helpers import by name, and small models do not fight over the cores."""

import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the subprocesses
torch.set_num_threads(1)
