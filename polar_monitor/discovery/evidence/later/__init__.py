"""Readings that stop to fit, or never fit quite: what their heads become on their way into the sample."""
