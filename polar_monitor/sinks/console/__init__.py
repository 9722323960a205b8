"""Evaluations on the console: a live view on a terminal, plain lines elsewhere."""

from .plain import PlainConsole as PlainConsole
from .plain import console as console
from .plain_line import plain_line as plain_line
