"""The command line, `polar-monitor`: `main` parses and dispatches; each command has a file."""

from .main import main as main
