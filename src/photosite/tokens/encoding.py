"""From a photo to the vectors that a language model reads: an encoder's features in the order of a front end's tokens.

Takes any encoder: networks of ours, vision towers of transformers, and every other model by names of its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from photosite.analysis.features import features
from photosite.errors import RangeError, ShapeError
from photosite.nets.vit import VisionTransformer
from photosite.shapes import shape_text
from photosite.tokens.places import Prepared, TokenMap
from photosite.tokens.tile import Picture, Size

Layer = int | str


class Source(Protocol):
    """What is asked of a front end here; `FrontEnd` says more of each."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def layer(self) -> int | None:
        """Whose features it takes."""

    @property
    def merge(self) -> int:
        """So many patches, down and across, become one token."""

    @property
    def prefix_tokens(self) -> int:
        """Tokens in front that are read."""

    @property
    def packed(self) -> bool:
        """Whether the encoder gets patches as rows."""

    def prepare(self, picture: Picture) -> Prepared:
        """The encoder's input."""

    def token_map(self, size_hw: Size) -> TokenMap:
        """Where each token comes from."""

    def patch_grid(self, size_hw: Size) -> Size:
        """Rows and columns of patches."""

    def patches(self, size_hw: Size, tile: int, place: tuple[int, int]) -> tuple[int, ...]:
        """The patches of a token."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The vectors of a photo.

    Attributes:
        values: (N, W), in the order in which the language model reads them.
        places: where each comes from; of a projector that asks all places at once, of all its tile.
    """

    values: Tensor
    places: TokenMap


@torch.no_grad()
def encode(
    one: Source,
    picture: Picture,
    encoder: nn.Module,
    *,
    layers: Layer | Sequence[Layer] | None = None,
    projector: nn.Module | None = None,
    newline: Tensor | None = None,
) -> Tokens:
    """Run a photo through an encoder; see `FrontEnd.tokens`."""
    prepared = one.prepare(picture)
    size_hw = (picture.shape[0], picture.shape[1])
    chosen = one.layer if layers is None else layers
    wanted = None if chosen is None else [chosen] if isinstance(chosen, (int, str)) else list(chosen)
    found = _layers(one, encoder, _as_input(encoder, prepared), prepared, wanted)
    grids = [one.patch_grid(tile.size_hw) for tile in prepared.tiles]
    per_tile = [_per_tile(one, layer, grids) for layer in found]
    prefix = [torch.cat([layer[number][0] for layer in per_tile], -1) for number in range(len(grids))]
    places = [torch.cat([layer[number][1] for layer in per_tile], -1) for number in range(len(grids))]
    if projector is not None and getattr(projector, "whole", False):
        return _asked(one, size_hw, places, projector)
    return _gathered(one, size_hw, prefix, places, projector, newline)


def _as_input(encoder: nn.Module, prepared: Prepared) -> Tensor:
    """The encoder's input, of its type and on its device."""
    values = torch.from_numpy(np.ascontiguousarray(prepared.values))
    parameter = next((one for one in encoder.parameters() if one.is_floating_point()), None)
    return values if parameter is None else values.to(parameter.device, parameter.dtype)


def _layers(
    one: Source, encoder: nn.Module, x: Tensor, prepared: Prepared, wanted: Sequence[Layer] | None
) -> list[Tensor]:
    """What some layers give, or the last one if none is named."""
    if wanted is not None and not wanted:
        raise RangeError("tokens: wants one layer at least")
    if wanted is not None and any(isinstance(layer, str) for layer in wanted):
        names = [str(layer) for layer in wanted]
        return list(features(encoder, x, names, "as it is").values())
    numbers = None if wanted is None else [int(layer) for layer in wanted]
    if isinstance(encoder, VisionTransformer):
        return [encoder.forward_features(x)] if numbers is None else _of_tower(encoder, x, numbers)
    if hasattr(encoder, "config"):
        return _of_transformers(one, encoder, x, prepared, numbers)
    if numbers is not None:
        raise RangeError(
            f"tokens: {type(encoder).__name__} does not number its layers; name nodes or modules: layers='blocks.10'"
        )
    forward = getattr(encoder, "forward_features", encoder)
    return [_tensor(encoder, forward(x))]


def _of_tower(encoder: VisionTransformer, x: Tensor, numbers: Sequence[int]) -> list[Tensor]:
    """Tokens in front of the first block (0) and behind each; counted from the end if negative."""
    states = [encoder.embed(x)[0]]
    for _, block in encoder.steps():
        states.append(block(states[-1]))
    return [states[_index(number, len(states))] for number in numbers]


def _of_transformers(
    one: Source, encoder: nn.Module, x: Tensor, prepared: Prepared, numbers: Sequence[int] | None
) -> list[Tensor]:
    """A vision tower of transformers: its last hidden state, or some of all."""
    options: dict[str, Any] = {} if numbers is None else {"output_hidden_states": True}
    if one.packed:
        rows, columns = one.patch_grid(prepared.tiles[0].size_hw)
        options["grid_thw"] = torch.tensor([[1, rows, columns]], device=x.device)
    given = encoder(x, **options)
    if numbers is None:
        found = [_tensor(encoder, given)]
    else:
        states = getattr(given, "hidden_states", None)
        if not states:
            raise RangeError(f"tokens: {type(encoder).__name__} gives no hidden states; name nodes or modules")
        found = [states[_index(number, len(states))] for number in numbers]
    if one.packed and getattr(encoder.config, "fullatt_block_indexes", None) is not None:
        order = _windows(encoder, rows, columns)
        found = [layer.reshape(len(order), -1, layer.shape[-1])[order].flatten(0, 1) for layer in found]
    return found


def _windows(encoder: nn.Module, rows: int, columns: int) -> Tensor:
    """Where each group of patches stands in a tower that sorts them by windows of attention, as Qwen2.5-VL does.

    Groups come window by window, windows row by row; the last in a row or column can be cut off.
    """
    config: Any = encoder.config
    merge = int(config.spatial_merge_size)
    side = int(config.window_size) // merge // int(config.patch_size)
    down, across = np.mgrid[: rows // merge, : columns // merge]
    order = np.lexsort((across.ravel(), down.ravel(), (across // side).ravel(), (down // side).ravel()))
    return torch.from_numpy(np.argsort(order))


def _index(number: int, count: int) -> int:
    if not -count <= number < count:
        raise RangeError(f"tokens: layer {number}: there are {count}, 0 in front of the first block")
    return number


def _tensor(encoder: nn.Module, given: Any) -> Tensor:
    found = getattr(given, "last_hidden_state", given)
    if isinstance(found, (list, tuple)) and found:
        found = found[0]
    if not isinstance(found, Tensor):
        raise ShapeError(f"tokens: {type(encoder).__name__} gives {type(found).__name__}, wanted a tensor of features")
    return found


def _per_tile(one: Source, layer: Tensor, grids: Sequence[tuple[int, int]]) -> list[tuple[Tensor, Tensor]]:
    """Of each tile the tokens in front, (P, D), and those of its places, (rows x columns, D)."""
    counts = [rows * columns for rows, columns in grids]
    if one.packed or (layer.ndim == 3 and len(layer) == 1 and len(grids) > 1):
        flat = layer.reshape(-1, layer.shape[-1])
        if len(flat) != sum(counts):
            raise ShapeError(f"tokens: the encoder gives {len(flat)} patches, {one.name} has {sum(counts)}")
        return [(flat[:0], part) for part in torch.split(flat, counts)]
    if layer.ndim == 4 and len({*grids}) == 1:
        rows, columns = grids[0]
        if tuple(layer.shape[2:]) == (rows, columns):
            layer = layer.flatten(2).transpose(1, 2)
        elif tuple(layer.shape[1:3]) == (rows, columns):
            layer = layer.flatten(1, 2)
        else:
            raise ShapeError(
                f"tokens: the encoder gives a map {shape_text(layer.shape)}, {one.name} has {rows} × {columns} places"
            )
    if layer.ndim != 3 or len(layer) != len(grids):
        raise ShapeError(
            f"tokens: the encoder gives {shape_text(layer.shape)} for {len(grids)} pictures, wanted (B, N, D)"
        )
    found = []
    for tokens, count, (rows, columns) in zip(layer, counts, grids, strict=True):
        extra = len(tokens) - count
        if extra < one.prefix_tokens:
            wanted = f"{rows} × {columns} places" + (f" and {one.prefix_tokens} in front" if one.prefix_tokens else "")
            raise ShapeError(f"tokens: the encoder gives {len(tokens)} tokens of a picture, {one.name} has {wanted}")
        found.append((tokens[: one.prefix_tokens], tokens[extra:]))
    return found


def _gathered(
    one: Source,
    size_hw: tuple[int, int],
    prefix: Sequence[Tensor],
    places: Sequence[Tensor],
    projector: nn.Module | None,
    newline: Tensor | None,
) -> Tokens:
    """Each token's patches together, projected, in order; what ends a row put in."""
    where = one.token_map(size_hw)
    starts = np.cumsum([0, *(len(part) for part in places)])
    own = np.flatnonzero(where.tile >= 0)
    numbers = [
        starts[where.tile[token]] + np.array(one.patches(size_hw, int(where.tile[token]), _place(where, int(token))))
        for token in own
    ]
    grouped = torch.cat(list(places))[torch.from_numpy(np.stack(numbers))]  # (N, patches, D)
    projected = grouped.flatten(1) if projector is None else projector(grouped)
    values = projected.new_zeros(len(where), projected.shape[-1])
    values[torch.from_numpy(own)] = projected
    if where.newline.any():
        if newline is None:
            raise ShapeError(
                f"tokens: {one.name} ends rows with a learned vector; give newline={projected.shape[-1]} numbers"
            )
        if newline.shape != (projected.shape[-1],):
            raise ShapeError(f"tokens: newline wants {projected.shape[-1]} numbers, got {shape_text(newline.shape)}")
        values[torch.from_numpy(where.newline)] = newline.to(values)
    if one.prefix_tokens:
        if projector is not None:
            front = projector(prefix[0][:, None])
        elif projected.shape[-1] == prefix[0].shape[-1]:
            front = prefix[0]
        else:
            raise ShapeError(f"tokens: {one.name} has tokens in front, and its places are joined by {one.merge}")
        values[torch.from_numpy(np.flatnonzero((where.tile < 0) & ~where.newline))] = front
    return Tokens(values, where)


def _place(where: TokenMap, token: int) -> tuple[int, int]:
    return int(where.row[token]), int(where.column[token])


def _asked(one: Source, size_hw: tuple[int, int], places: Sequence[Tensor], projector: nn.Module) -> Tokens:
    """What a projector that asks makes of each tile, one behind the other."""
    values = [projector(part[None])[0] for part in places]
    where = one.token_map(size_hw)
    tile = np.repeat(np.arange(len(values)), [len(part) for part in values])
    zeros = np.zeros(len(tile), np.int64)
    longest = max(max(made.size_hw) for made in where.tiles)
    learned = TokenMap(where.tiles, where.cell, tile, zeros, zeros, zeros > 0, (0, longest))
    return Tokens(torch.cat(values), learned)
