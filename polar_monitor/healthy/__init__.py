"""Checkpoints of the steps before the trouble: a sink that saves while all is well, and keeps what is worth it.

Fading begins before it can be told from noise, so the newest checkpoint is rarely a healthy one. A few are kept, the
farther back the wider apart, and an alert's `last_healthy_step` says which. What has been lost is known by its level,
so that no passing of time makes it well.
"""

from .keeper import KeepHealthy as KeepHealthy
