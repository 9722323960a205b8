"""TensorBoard with the tab, for its picture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def serve(folder: Path, runs: Sequence[Path]) -> str:
    """Start a TensorBoard of some runs, which are linked in a folder, and return its address."""
    from tensorboard import default, program

    from polar_monitor.tensorboard_plugin import Loader

    folder.mkdir(exist_ok=True)
    for run in runs:
        if not (folder / run.name).exists():
            (folder / run.name).symlink_to(run.resolve(), target_is_directory=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    tensorboard = program.TensorBoard(plugins=[*default.get_static_plugins(), Loader()])
    tensorboard.configure(argv=[None, "--logdir", str(folder), "--port", "0", "--load_fast", "false"])
    return str(tensorboard.launch())


def choose_tab(page: Any) -> None:
    """Go to the tab as a user does: an address with #polarisation leaves its name half hidden in a narrow window."""
    page.wait_for_selector("[role=tab]")
    page.wait_for_timeout(2000)
    later = page.locator(".mat-mdc-tab-header-pagination-after:not([disabled])")
    while later.is_visible():
        later.click()
        page.wait_for_timeout(300)
    page.get_by_role("tab", name="Polarisation").click()
    page.wait_for_selector("iframe")
