"""TensorBoard with the tab, for its picture."""

from __future__ import annotations

import logging
from pathlib import Path


def serve(folder: Path) -> str:
    """Start a TensorBoard of the runs in a folder in this process, and return its address."""
    from tensorboard import default, program

    from polar_monitor.tensorboard_plugin import Loader

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    tensorboard = program.TensorBoard(plugins=[*default.get_static_plugins(), Loader()])
    tensorboard.configure(argv=[None, "--logdir", str(folder), "--port", "0", "--load_fast", "false"])
    return str(tensorboard.launch())
