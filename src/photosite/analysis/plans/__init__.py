"""Plans: how a graph is run in NumPy at the speed of BLAS; `plan` is the door."""
