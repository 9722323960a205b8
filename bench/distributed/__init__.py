"""Costs on several processes and of many rows."""
