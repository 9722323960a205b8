"""Error rates and cost of discovery by evidence."""
