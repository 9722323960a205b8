"""The monitor: puts capture, statistics, regime, alerts and sinks together."""
