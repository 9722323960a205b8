"""A recorded run judged again: which alerts the rules raise on a log, and whether they are those of the run."""

from .replay import Replay as Replay
from .replay import log_of as log_of
from .replay import replay as replay
