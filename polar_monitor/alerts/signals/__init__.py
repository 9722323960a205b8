"""Signals that several alerts read: the history of the dimensions, their falls, trends, forecasts and causes."""
