"""A local page in which every operation can be looked into, on one's own photo and model."""
