"""The ancestors of learned features: descriptors that people designed. NumPy only."""

from photosite.handcrafted.hog import hog

__all__ = ["hog"]
