"""Any PyTorch model as a graph of plain data, and running that graph."""
