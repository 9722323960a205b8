"""The tab "Polarisation" of TensorBoard, found through the entry point `tensorboard_plugins`.

TensorBoard imports this file at its start, whatever it is going to show, so nothing heavy is imported here, and nothing
that fails later reaches it.
"""

from __future__ import annotations

import logging
from typing import Any

from tensorboard.plugins import base_plugin

log = logging.getLogger("polar_monitor")


class Loader(base_plugin.TBLoader):  # type: ignore[misc]
    """Makes the tab; None, and a line in the log, if that fails."""

    def load(self, context: Any) -> Any:
        """Return the plugin for a TensorBoard, or None."""
        try:
            from .plugin import PolarisationPlugin

            return PolarisationPlugin(context)
        except Exception as error:
            log.warning("the tab Polarisation is left out: %s", error)
            return None
