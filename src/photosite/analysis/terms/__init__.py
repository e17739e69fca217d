"""What one number is made of, told by the kind of operation that made it."""
