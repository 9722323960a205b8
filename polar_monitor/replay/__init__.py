"""Replays a recorded run: raises the alerts of its log again, and compares them with those of the run."""

from .replay import Replay as Replay
from .replay import log_of as log_of
from .replay import replay as replay
