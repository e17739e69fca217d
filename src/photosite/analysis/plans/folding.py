"""Weights with the batch norm behind them folded in, and the way back from their gradients to those of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from photosite.graph.ir import Node, Ref
from photosite.ops.arrays import Array


@dataclass(frozen=True, eq=False)
class Scale:
    """A batch norm in inference: y = x factor + shift, for each channel.

    Attributes:
        factor: weight / sqrt(variance + eps), float64.
        shift: bias - mean factor, float64.
        mean: the running mean.
        deviation: sqrt(variance + eps).
        weight: the name of the weight, "" without one.
        bias: the name of the bias, "" without one.
    """

    factor: Array
    shift: Array
    mean: Array
    deviation: Array
    weight: str
    bias: str

    @classmethod
    def of(cls, norm: Node, values: Mapping[str, Any]) -> Scale:
        """Read a batch norm in inference."""
        names = [argument.name if isinstance(argument, Ref) else "" for argument in norm.args[1:5]]
        weight, bias, mean, variance = (values[name].astype(np.float64) if name else None for name in names)
        eps = norm.args[7]
        assert mean is not None
        assert variance is not None
        assert isinstance(eps, float)
        deviation = np.sqrt(variance + eps)
        factor = 1 / deviation if weight is None else weight / deviation
        shift = -mean * factor if bias is None else bias - mean * factor
        return cls(factor, shift, mean, deviation, *names[:2])

    def gradients(self, to_factor: Array, to_shift: Array) -> dict[str, Array]:
        """From the gradients of factor and shift to those of weight and bias."""
        found = {self.bias: to_shift} if self.bias else {}
        if self.weight:  # shift depends on it too
            found[self.weight] = (to_factor - self.mean * to_shift) / self.deviation
        return found


@dataclass(frozen=True, eq=False)
class Folded:
    """A weight and a bias as a step uses them.

    Attributes:
        kernel: the weight, with the norm's factor in it.
        shift: the bias, with the norm's in it; None without both.
        weight: the weight's name.
        bias: the bias's name, "" without one.
        scale: the norm; None without one.
    """

    kernel: Array
    shift: Array | None
    weight: str
    bias: str
    scale: Scale | None = None
    plain: tuple[Array, Array | None] | None = field(default=None, repr=False)  # weight and bias without the norm

    @classmethod
    def of(cls, weight: str, bias: str, norm: Node | None, values: Mapping[str, Any]) -> Folded:
        """Fold a batch norm, if there is one, into a weight (O, …) and a bias (O,)."""
        kernel, shift = values[weight], values[bias] if bias else None
        if norm is None:
            return cls(kernel, shift, weight, bias)
        scale = Scale.of(norm, values)
        folded = kernel * _along(scale.factor, kernel)
        total = scale.shift if shift is None else scale.shift + shift * scale.factor
        return cls(folded.astype(kernel.dtype), total.astype(kernel.dtype), weight, bias, scale, (kernel, shift))

    @property
    def names(self) -> frozenset[str]:
        """All parameters that are in it."""
        norm = (self.scale.weight, self.scale.bias) if self.scale is not None else ()
        return frozenset(filter(None, (self.weight, self.bias, *norm)))

    def gradients(self, to_kernel: Array, to_shift: Array) -> dict[str, Array]:
        """From the gradients of kernel and shift to those of all parameters in them.

        Args:
            to_kernel: (O, …), as the weight.
            to_shift: (O,).
        """
        if self.scale is None or self.plain is None:
            found = {self.weight: to_kernel}
            if self.bias:
                found[self.bias] = to_shift
            return found
        (weight, bias), dtype = self.plain, self.kernel.dtype
        found = {self.weight: to_kernel * _along(self.scale.factor.astype(dtype), to_kernel)}
        to_factor = np.einsum("of,of->o", *(array.reshape(len(to_shift), -1) for array in (to_kernel, weight)))
        if bias is not None:
            found[self.bias] = (to_shift * self.scale.factor).astype(dtype)
            to_factor = to_factor + to_shift * bias
        return found | {name: array.astype(dtype) for name, array in self.scale.gradients(to_factor, to_shift).items()}


def _along(factor: Array, kernel: Array) -> Array:
    """A number for each filter, with axes so that it repeats over the rest of a kernel."""
    return factor.reshape(-1, *(1,) * (kernel.ndim - 1))
