"""What a search for the picture that a unit answers to most is made of."""
