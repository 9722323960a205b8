"""The schedule at its defaults, measured: `python -m bench.schedule`."""
