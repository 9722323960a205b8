"""The polarised regime over many trained models: their training, the truth about each, and what rules make of it."""
