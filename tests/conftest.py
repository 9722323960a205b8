"""Shared set-up: the tests' own helpers import by name, and no test leaves a watched model behind."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
