"""Models without a latent: nothing may be recorded, and the monitor says so."""
