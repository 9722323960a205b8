"""The suite of the early warning: seeded training runs with known losses, stored, and any alarm rule scored on them."""
