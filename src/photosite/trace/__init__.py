"""Running one picture through everything, and what was recorded."""
