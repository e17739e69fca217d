"""Training a network by name, resumable to the same result."""
