"""Hold a row of the op table against torch: values, shapes, dtypes, gradients; and what both must refuse.

    check_row("aten.relu.default", noise(2, 3))

Arrays stand for tensors, NumPy dtypes for torch's; all other arguments go to both as they are.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from photosite.errors import PhotositeError
from photosite.graph.table import TABLE
from tests.ops.explained import check_explanation, leaves

DTYPES = {
    np.dtype(name): getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64")
}
TOLERANCE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-10, "complex64": 2e-5}
"""Largest difference allowed, as a share of the largest value: sums are added in another order, so their last digits
differ by a few units (float32's last digit is 6e-8 of a value, and hundreds of values are added)."""


def noise(*shape: int, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    """Normal noise; of whole numbers, -4 … 4."""
    rng = np.random.default_rng([seed, *shape])
    if np.dtype(dtype).kind in "iu":
        return rng.integers(-4 if np.dtype(dtype).kind == "i" else 0, 5, shape).astype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.normal(size=shape).astype(dtype)


def torch_operation(op: str) -> Callable[..., Any]:
    """The operation of that name in torch."""
    found: Callable[..., Any] = operator.attrgetter(op)(torch.ops)
    return found


def as_torch(argument: Any, *, grad: bool = False) -> Any:
    """An argument for torch; arrays are copied."""
    if isinstance(argument, np.ndarray):
        tensor = torch.from_numpy(np.array(argument, copy=True))
        return tensor.requires_grad_() if grad and tensor.is_floating_point() else tensor
    if isinstance(argument, np.dtype):
        return DTYPES[argument]
    if isinstance(argument, list | tuple):
        return [as_torch(part, grad=grad) for part in argument]
    return argument


def assert_near(found: Any, wanted: torch.Tensor, tolerance: float | None, what: str, least: float = 0.0) -> None:
    """The same shape, dtype and values, up to `tolerance` times the largest of them; NaN and infinity in place.

    Where all of them are 0 but for rounding, `least` is the size of what was added up to that.
    """
    assert isinstance(found, np.ndarray | np.generic), f"{what}: a {type(found).__name__}, no array"
    peer = wanted.detach().numpy(force=True)
    assert (found.shape, found.dtype) == (peer.shape, peer.dtype), what
    if peer.dtype.kind in "biu":
        np.testing.assert_array_equal(found, peer, what)
        return
    share = TOLERANCE[str(peer.dtype)] if tolerance is None else tolerance
    finite = np.abs(peer[np.isfinite(peer)])
    np.testing.assert_allclose(found, peer, rtol=share, atol=share * float(finite.max(initial=least)), err_msg=what)


def check_row(op: str, *args: Any, tolerance: float | None = None, gradients: bool = True, **kwargs: Any) -> Any:
    """Compare value and gradients of a row with torch's; return our value.

    Args:
        op: full name, such as "aten.conv2d.default".
        args: positional arguments of the ATen operation.
        tolerance: largest difference as a share of the largest value; by dtype for None. State the reason.
        gradients: whether to compare gradients too.
        kwargs: its keyword arguments.
    """
    row = TABLE[op]
    args = tuple(np.asarray(argument) if isinstance(argument, np.generic) else argument for argument in args)
    before = [np.array(leaf, copy=True) for leaf in leaves([*args, *kwargs.values()]) if isinstance(leaf, np.ndarray)]
    ours = row.value(*args, **kwargs)
    their_args = [as_torch(argument, grad=gradients) for argument in args]
    their_kwargs = {key: as_torch(argument, grad=gradients) for key, argument in kwargs.items()}
    theirs = torch_operation(op)(*their_args, **their_kwargs)
    mine, other = leaves(ours), leaves(theirs)
    assert len(mine) == len(other), f"{op}: {len(mine)} results, torch has {len(other)}"
    for number, (a, b) in enumerate(zip(mine, other, strict=True)):
        assert_near(a, b, tolerance, f"{op}: result {number}")
    if _explained[op] < EXPLAINED:
        _explained[op] += 1
        check_explanation(op, args, kwargs)
    if gradients:
        _check_gradients(op, args, kwargs, ours, [*their_args, *their_kwargs.values()], theirs, tolerance)
    after = [leaf for leaf in leaves([*args, *kwargs.values()]) if isinstance(leaf, np.ndarray)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b, f"{op}: an operand was changed")
    return ours


EXPLAINED = 6
"""How many of the first cases of each row have a number of theirs taken apart."""
_explained: Counter[str] = Counter()


def _check_gradients(
    op: str, args: Any, kwargs: Any, ours: Any, their_args: list[Any], theirs: Any, tolerance: float | None
) -> None:
    wants = [leaf for leaf in leaves(their_args) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    outputs = leaves(theirs)
    flowing = [i for i, out in enumerate(outputs) if isinstance(out, torch.Tensor) and out.requires_grad]
    row = TABLE[op]
    if not wants or not flowing:
        return
    assert row.vjp is not None, f"{op}: torch has gradients, the row has none"
    grads = {i: noise(*outputs[i].shape, seed=i + 1).astype(str(outputs[i].dtype).split(".")[1]) for i in flowing}
    wanted = torch.autograd.grad(
        [outputs[i] for i in flowing], wants, [torch.from_numpy(grads[i]) for i in flowing], allow_unused=True
    )
    several = isinstance(ours, list | tuple)
    given = [grads.get(i) for i in range(len(outputs))] if several else grads[0]
    found = leaves(list(row.vjp(given, ours, *args, **kwargs)))
    own = leaves([*args, *kwargs.values()])
    for number, (leaf, operand) in enumerate(zip(leaves(their_args), own, strict=True)):
        gradient = found[number] if number < len(found) else None
        if not (isinstance(leaf, torch.Tensor) and leaf.requires_grad):
            assert gradient is None, f"{op}: argument {number} is no array of real numbers and has a gradient"
            continue
        wish = wanted[[id(want) for want in wants].index(id(leaf))]
        if wish is None:
            assert gradient is None or not np.any(gradient), f"{op}: argument {number} has a gradient, in torch none"
            continue
        assert gradient is not None, f"{op}: argument {number} has no gradient"
        assert gradient.dtype == operand.dtype, f"{op}: gradient of argument {number}"
        least = 0.01 * max(float(np.abs(grad).max(initial=0)) for grad in grads.values())
        assert_near(gradient, wish, tolerance, f"{op}: gradient of argument {number}", least)


def check_refusal(op: str, *args: Any, match: str = "", **kwargs: Any) -> None:
    """Both refuse these arguments, ours in one line of our own."""
    with pytest.raises(PhotositeError, match=match) as caught:
        TABLE[op].value(*args, **kwargs)
    assert "\n" not in str(caught.value)
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        torch_operation(op)(*[as_torch(a) for a in args], **{key: as_torch(a) for key, a in kwargs.items()})
