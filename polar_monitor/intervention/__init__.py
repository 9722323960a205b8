"""Interventions: a decoder is called with changed codes, to measure what it does with each dimension."""
