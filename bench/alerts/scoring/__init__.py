"""Losses known by intervention, and alarms scored against them."""
