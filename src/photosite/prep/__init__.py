"""Opening pictures, and turning them into what a network takes."""
