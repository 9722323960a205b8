"""Without its package an adapter is one error that says what to install, and nothing is imported before it is used."""

from __future__ import annotations

import subprocess
import sys

LINES = {
    "lightning": "from polar_monitor.integrations.lightning import PolarCallback; PolarCallback()",
    "transformers": "from polar_monitor.integrations.transformers import PolarCallback",
    "ignite": "from polar_monitor.integrations.ignite import PolarHandler",
    "torchmetrics": "from polar_monitor.integrations.torchmetrics import PolarisationMetric",
}
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"lightning", "pytorch_lightning", "transformers", "ignite", "torchmetrics"}:
            raise ModuleNotFoundError(f"No module named {name!r}")

import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if "lightning" in name else find(name, package)
sys.meta_path.insert(0, Missing())
for extra, line in LINES.items():
    try:
        exec(line)
    except ImportError as error:
        print(extra, error)
"""


def test_the_error_says_what_to_install() -> None:
    code = f"LINES = {LINES!r}{WITHOUT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    for extra, shown in zip(LINES, done.stdout.splitlines(), strict=True):
        assert shown.startswith(f"{extra} Polar")
        library = {"ignite": "pytorch-ignite", "transformers": "transformers accelerate"}.get(extra, extra)
        assert shown.endswith(f"pip install {library}")


def test_importing_an_adapter_loads_no_framework() -> None:
    modules = "from polar_monitor.integrations import lightning, trackers"
    code = f"import sys; {modules}; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert not {"lightning", "pytorch_lightning", "wandb", "mlflow", "trackio", "aim"} & set(done.stdout.split())
