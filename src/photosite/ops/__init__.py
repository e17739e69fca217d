"""Every operation by hand: plain NumPy functions on arrays, one family a file.

An operation is up to three functions, which stand side by side:

    relu(x)                          its value
    relu_vjp(grad, result, x)        the gradients of its operands, from the gradient of its result
    conv2d_macs(result, x, weight)   its multiply-adds, where it has any; looks at shapes alone

Arguments have the order, names and meaning of the ATen operation of PyTorch that the function stands for, with arrays
for tensors and NumPy's dtypes for torch's; so `graph.table` can name functions and nothing else. A `_vjp` takes the
gradient and the result first, then the operation's own arguments. It returns a tuple with an entry for each argument up
to the last that can be an array: its gradient, or None where nothing flows back. An argument that is a list of arrays
has a list of gradients; an operation with several results gets a list of them, None for a result that was not used.

Nothing is changed in place. A result can be a view of an operand, as in PyTorch.
"""
