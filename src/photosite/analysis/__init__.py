"""Questions that can be asked of any captured model."""
