"""Worth of each dimension beside its information, for small models."""
