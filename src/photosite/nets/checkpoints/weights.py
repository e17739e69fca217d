"""Weights and models: every name and shape is compared before a byte is copied, so a failed load changes nothing.

Knows no network by name; `weight_files` reads and writes files, `keymaps` knows how published names differ from ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from photosite.errors import CorruptWeightsError, MismatchedWeightsError, WeightsError
from photosite.nets.checkpoints.keymaps import KeyMap, guess_key_map, is_counter, same_keys
from photosite.nets.checkpoints.weight_files import Weights, read_weights, save_weights
from photosite.shapes import shape_text

__all__ = ["Weights", "load_weights", "read_weights", "save_weights", "sha256_of_state", "state_as_weights"]

_SHOWN = 10  # keys of each kind in a message; the attributes have them all

Misshapen = tuple[str, tuple[int, ...], tuple[int, ...]]
"""Name, shape in the weights, shape in the model."""


def load_weights(
    model: nn.Module,
    weights: Weights | Mapping[str, Tensor],
    *,
    key_map: KeyMap | Mapping[str, str | None] | None = None,
    strict: bool = True,
    assign: bool = False,
    strict_values: bool = False,
) -> tuple[str, ...]:
    """Put weights into a model, all of them or none.

    Args:
        model: keeps its dtypes and devices; numbers are converted.
        weights: what `read_weights` gave, or names and tensors.
        key_map: name in the weights to name in the model, None for a tensor to leave out; a mapping leaves the names
            that it lacks as they are. `guess_key_map` finds one for published checkpoints.
        strict: missing and unexpected names are errors; if False they become notes. Shapes must agree in any case, and
            the batch counters that old checkpoints lack may always be missing.
        assign: let the model use these very tensors instead of copying them; needed for a model on the meta device.
        strict_values: NaN, infinity and matrices of zeros are errors; if False they become notes.

    Returns:
        What a person should know: names left out, numbers converted, values that look wrong.

    Raises:
        MismatchedWeightsError: names or shapes differ. Its attributes `missing` and `unexpected` are tuples of all such
            names, `misshapen` of (name, shape in the weights, shape in the model).
        CorruptWeightsError: with `strict_values`, values that look wrong.

    >>> load_weights(nn.Linear(2, 1), {"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
    ()
    """
    given = weights.tensors if isinstance(weights, Weights) else weights
    source = repr(weights.path.name) if isinstance(weights, Weights) else "the weights"
    renamed, dropped = _renamed(given, key_map, source)
    wanted = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    notes = _compare(wanted, renamed, strict, f"load_weights: {type(model).__name__} and {source}")
    if dropped:
        notes.append(f"left out by the key map: {_listed(dropped)}")
    if any(value.is_meta for value in wanted.values()) and not assign:
        raise WeightsError(
            f"load_weights: {type(model).__name__} is on the meta device, without memory; use assign=True"
        )

    ready: dict[str, Tensor] = {}
    converted: set[str] = set()
    for key in wanted.keys() & renamed.keys():
        value, target = renamed[key].detach(), wanted[key]
        if value.dtype != target.dtype:
            converted.add(f"{_dtype(value)} to {_dtype(target)}")
        ready[key] = value.to(device=None if target.is_meta else target.device, dtype=target.dtype)
    notes += [f"numbers converted from {change}" for change in sorted(converted)]
    odd = _odd_values(ready)
    if odd and strict_values:
        raise CorruptWeightsError(f"load_weights: {source}: {'; '.join(odd)}")
    model.load_state_dict(ready, strict=False, assign=assign)  # _compare was the strict part
    return (*notes, *odd)


def state_as_weights(state: Mapping[str, Any]) -> Weights:
    """Take a state dict, of whatever library, as if it had been read from a file; its tensors are not copied."""
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    return Weights(tensors, sha256_of_state(tensors), "torch", Path("state_dict"))


def sha256_of_state(model: nn.Module | Mapping[str, Tensor]) -> str:
    """Hash the names, dtypes, shapes and values of a model's state, whatever their order and device.

    Says which weights made a result when they came from no file.

    Args:
        model: or its state dict.
    Returns:
        64 hexadecimal digits.

    >>> a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> b.load_state_dict(a.state_dict())
    <All keys matched successfully>
    >>> sha256_of_state(a) == sha256_of_state(b)
    True
    """
    digest = hashlib.sha256()
    state = model.state_dict() if isinstance(model, nn.Module) else model
    for key, value in sorted(state.items()):
        if isinstance(value, Tensor):
            # repr ends each name, so that no two lists of tensors write the same bytes
            digest.update(f"{key!r} {_dtype(value)} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _renamed(
    given: Mapping[str, Tensor], key_map: KeyMap | Mapping[str, str | None] | None, source: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Apply a key map; gives the tensors by their new names, and the names that it left out."""
    renamed: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    dropped: list[str] = []
    for key, value in given.items():
        new = key_map.get(key, key) if isinstance(key_map, Mapping) else (key_map or same_keys)(key)
        if new is None:
            dropped.append(key)
            continue
        if new in renamed:
            raise _mismatch(f"load_weights: {source}: the key map makes {origin[new]!r} and {key!r} both {new!r}")
        renamed[new], origin[new] = value, key
    return renamed, dropped


def _compare(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], strict: bool, who: str) -> list[str]:
    """Compare all names and shapes; gives notes on what may differ and raises on what may not."""
    counters = [key for key in wanted if key not in given and is_counter(key)]
    missing = [key for key in wanted if key not in given and not is_counter(key)]
    unexpected = [key for key in given if key not in wanted]
    misshapen: list[Misshapen] = [
        (key, tuple(value.shape), tuple(wanted[key].shape))
        for key, value in given.items()
        if key in wanted and (value.shape != wanted[key].shape or not _fits(key, value.dtype, wanted[key].dtype))
    ]
    nothing = bool(wanted) and len(unexpected) == len(given)
    notes = [f"{len(counters)} batch counters are not in the weights and stay as they are"] if counters else []
    if misshapen or nothing or (strict and (missing or unexpected)):
        raise _mismatch(
            _mismatch_text(who, wanted, given, missing, unexpected, misshapen), missing, unexpected, misshapen
        )
    if missing:
        notes.append(f"{len(missing)} are not in the weights and stay as they are: {_listed(missing)}")
    if unexpected:
        notes.append(f"{len(unexpected)} are not in the model and were left out: {_listed(unexpected)}")
    return notes


def _mismatch_text(
    who: str,
    wanted: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    missing: Sequence[str],
    unexpected: Sequence[str],
    misshapen: Sequence[Misshapen],
) -> str:
    """One line that lists what differs, with both shapes, and says what to do where that is known."""
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing: {_listed(missing)}")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected: {_listed(unexpected)}")
    if misshapen:
        pairs = [
            f"{key!r:.80} is {shape_text(given[key].shape)}{_kind(given[key], wanted[key])}, "
            f"wanted {shape_text(wanted[key].shape)}{_kind(wanted[key], given[key])}"
            for key, _, _ in misshapen[:_SHOWN]
        ]
        more = f" and {len(misshapen) - _SHOWN} more" if len(misshapen) > _SHOWN else ""
        parts.append(f"{len(misshapen)} misshapen: {', '.join(pairs)}{more}")
    fitting = guess_key_map(wanted, given)
    hint = "; guess_key_map finds a key_map that makes the names agree" if fitting and fitting is not same_keys else ""
    return f"{who}: wanted {len(wanted)} tensors, got {len(given)}; {'; '.join(parts)}{hint}"


def _mismatch(
    text: str, missing: Sequence[str] = (), unexpected: Sequence[str] = (), misshapen: Sequence[Misshapen] = ()
) -> MismatchedWeightsError:
    error = MismatchedWeightsError(text)
    error.missing, error.unexpected, error.misshapen = tuple(missing), tuple(unexpected), tuple(misshapen)
    return error


def _fits(key: str, dtype: torch.dtype, wanted: torch.dtype) -> bool:
    """Tell whether numbers convert without losing their kind; counters are halved together with the rest by some."""
    return torch.can_cast(dtype, wanted) or is_counter(key)


def _kind(value: Tensor, other: Tensor) -> str:
    return (
        ""
        if torch.can_cast(value.dtype, other.dtype) and torch.can_cast(other.dtype, value.dtype)
        else f" {_dtype(value)}"
    )


def _odd_values(tensors: Mapping[str, Tensor]) -> list[str]:
    """Say which tensors hold NaN or infinity, and which matrices only zeros (a bias of zeros is common)."""
    nonfinite: list[str] = []
    zero: list[str] = []
    for key, value in tensors.items():
        if not value.is_floating_point() or value.numel() == 0:
            continue
        low, high = (float(bound) for bound in torch.aminmax(value))  # one pass; NaN comes through
        if not (abs(low) < float("inf") and abs(high) < float("inf")):
            nonfinite.append(key)
        elif low == high == 0.0 and value.ndim >= 2:
            zero.append(key)
    odd = [f"{len(nonfinite)} tensors hold NaN or infinity: {_listed(sorted(nonfinite))}"] if nonfinite else []
    return odd + ([f"{len(zero)} tensors hold only zeros: {_listed(sorted(zero))}"] if zero else [])


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(f"{key!r:.80}" for key in keys[:_SHOWN]) + more
