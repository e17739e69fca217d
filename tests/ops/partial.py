"""Hold a row against torch where torch has gradients for some operands and refuses to have them for others.

check_row_for("aten.batch_norm.default", {0, 1, 2}, x, weight, bias, mean, variance, False, 0.1, 1e-5, False)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from photosite.graph.table import TABLE
from tests.ops.rows import as_torch, assert_near, check_row, noise, torch_operation


def check_row_for(op: str, wanted: set[int], *args: Any, tolerance: float | None = None, **kwargs: Any) -> Any:
    """As `check_row`; gradients of the first result with respect to the arguments at the positions `wanted` alone.

    All other arguments must have none. Returns our value.
    """
    args = tuple(np.asarray(argument) if isinstance(argument, np.generic) else argument for argument in args)
    ours = check_row(op, *args, tolerance=tolerance, gradients=False, **kwargs)
    theirs = [as_torch(argument, grad=number in wanted) for number, argument in enumerate(args)]
    result = torch_operation(op)(*theirs, **kwargs)
    first = result[0] if isinstance(result, tuple) else result
    grad = noise(*first.shape, seed=1).astype(str(first.dtype).split(".")[1])
    peers = torch.autograd.grad(first, [theirs[number] for number in sorted(wanted)], torch.from_numpy(grad))
    several = isinstance(ours, tuple)
    vjp = TABLE[op].vjp
    assert vjp is not None
    found = vjp([grad, *[None] * (len(ours) - 1)] if several else grad, ours, *args, **kwargs)
    for number, peer in zip(sorted(wanted), peers, strict=True):
        assert found[number].dtype == args[number].dtype
        assert_near(found[number], peer, tolerance, f"{op}: gradient of argument {number}")
    assert all(gradient is None for number, gradient in enumerate(found) if number not in wanted), op
    return ours
