"""Evaluations as TensorBoard events. Importing this loads no TensorBoard: a sink does when it is constructed."""

from .sink import LOG as LOG
from .sink import TensorBoardSink as TensorBoardSink
from .sink import default_log_dir as default_log_dir
