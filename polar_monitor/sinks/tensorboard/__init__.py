"""Evaluations as TensorBoard events. This import loads no TensorBoard; the constructor of a sink does."""

from .sink import LOG as LOG
from .sink import TensorBoardSink as TensorBoardSink
from .sink import default_log_dir as default_log_dir
