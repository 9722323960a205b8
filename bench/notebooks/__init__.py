"""Notebooks of the examples: run from their scripts, and rendered as pages of the docs."""
