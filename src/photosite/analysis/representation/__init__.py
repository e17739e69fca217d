"""What layers of a network hold, measured: orientation, class, and how alike two layers are."""
