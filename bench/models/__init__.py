"""Structures that people train, and what `attach(model)` alone makes of each. `python -m bench.models` runs them."""
