"""Warm-up of the KL term in training plans of scvi-tools (DRVI's too): its length in steps, and the present weight."""

from __future__ import annotations

from typing import Any


def has_warmup(plan: Any) -> bool:
    """Return True for a training plan whose KL term is warmed up."""
    return any(getattr(plan, f"n_{unit}_kl_warmup", None) for unit in ("epochs", "steps"))


def warmup_steps(plan: Any, trainer: Any) -> int:
    """Return the optimiser steps of the warm-up."""
    epochs, batches = plan.n_epochs_kl_warmup, trainer.num_training_batches
    steps = epochs * -(-batches // trainer.accumulate_grad_batches) if epochs else plan.n_steps_kl_warmup
    return int(min(steps, 2**31))  # an epoch of a stream has infinitely many


def kl_weight(plan: Any) -> float:
    """Return the weight of the KL term. The plan's own property makes a tensor on the device, so it is not read."""
    epochs, steps = plan.n_epochs_kl_warmup, plan.n_steps_kl_warmup
    share = plan.current_epoch / epochs if epochs else plan.global_step / steps
    return float(plan.min_kl_weight + (plan.max_kl_weight - plan.min_kl_weight) * min(share, 1.0))
