"""Attention: every token asks all tokens, and takes a mean of their values, weighted by how well the keys answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from photosite.errors import RangeError, ShapeError
from photosite.ops.arrays import Array, broadcast, flows, unbroadcast
from photosite.shapes import shape_text


def attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Array:
    """Scaled dot-product attention: softmax(q k^T / sqrt(D) + mask) v.

    Args:
        query: (..., N, D), a row for each token that asks.
        key: (..., M, D), a row for each token that is asked.
        value: (..., M, E), what it answers with.
        attn_mask: repeats to (..., N, M): True where a token may be asked, or numbers that are added to the scores.
        dropout_p: share of weights dropped at random; only 0 can be computed here.
        is_causal: token n is asked only by itself and later ones; not together with a mask.
        scale: factor of the scores; 1 / sqrt(D) for None.
        enable_gqa: whether keys and values have fewer heads (third axis from the end), each shared by several.
    Returns:
        (..., N, E). A token that may ask nobody gets 0.
    Raises:
        ShapeError: the shapes do not fit each other.
        RangeError: dropout is asked for; a mask and causal both; the dtypes differ.
    Matches: torch `scaled_dot_product_attention` to float32's rounding.
    Source: Vaswani et al. 2017.

    >>> q, k, v = np.array([[0.0, 0.0]]), np.eye(2), np.array([[1.0], [3.0]])
    >>> attention(q, k, v).tolist()  # a question that all keys answer alike gets the mean
    [[2.0]]
    """
    weights, _, values = _weights(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return np.asarray(weights @ values)


def attention_vjp(
    grad: Array,
    result: Array,
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Array | None, Array | None, Array | None, Array | None]:
    """Back through the mean to values and weights, through softmax to scores, through the product to query and key."""
    weights, keys, values = _weights(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    to_values = weights.swapaxes(-1, -2) @ grad
    own = (grad @ values.swapaxes(-1, -2)) * weights
    scores = own - weights * own.sum(-1, keepdims=True)
    factor = _scale(query, scale)
    to_keys = factor * (scores.swapaxes(-1, -2) @ query)
    to_mask = unbroadcast(scores, attn_mask) if attn_mask is not None and flows(attn_mask) else None
    return (
        unbroadcast(factor * (scores @ keys), query),
        _gathered(to_keys, key, enable_gqa),
        _gathered(to_values, value, enable_gqa),
        to_mask,
    )


def attention_macs(result: Array, query: Array, key: Array, value: Array, *_: Any, **__: Any) -> int:
    """A score for each pair of tokens, and a weighted sum over all tokens; a causal mask saves none here."""
    pairs = math.prod(result.shape[:-1]) * key.shape[-2]
    return int(pairs * (query.shape[-1] + value.shape[-1]))


def _weights(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    dropout: float,
    causal: bool,
    scale: float | None,
    shared: bool,
) -> tuple[Array, Array, Array]:
    """The weights (..., N, M), and keys and values with as many heads as the query."""
    who = "scaled_dot_product_attention"
    shapes = f"query {query.shape}, key {key.shape}, value {value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 2 or query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"{who}: wants queries and keys of one width; {shapes}")
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"{who}: wants as many keys as values; {shapes}")
    if len({query.dtype, key.dtype, value.dtype}) > 1:
        raise RangeError(f"{who}: wants operands of one dtype, got {query.dtype}, {key.dtype}, {value.dtype}")
    if dropout:
        raise RangeError(
            f"{who}: a random draw cannot be computed twice alike: dropout_p is {dropout}; capture in evaluation"
        )
    if causal and mask is not None:
        raise RangeError(f"{who}: wants a mask or is_causal, got both")
    if shared:
        key, value = _repeated(key, query, who), _repeated(value, query, who)
    broadcast(who, query.shape[:-2], key.shape[:-2], value.shape[:-2])
    scores = _scale(query, scale) * (query @ key.swapaxes(-1, -2))
    if causal:
        mask = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    if mask is not None:
        if broadcast(who, mask.shape, scores.shape)[-2:] != scores.shape[-2:]:
            raise ShapeError(f"{who}: mask {shape_text(mask.shape)} does not fit scores {shape_text(scores.shape)}")
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
        scores = scores.astype(query.dtype, copy=False)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    powers = np.exp(scores - np.where(np.isneginf(top), 0, top).astype(scores.dtype))
    total = powers.sum(-1, keepdims=True)
    return powers / np.where(total == 0, 1, total).astype(scores.dtype), key, value


def _scale(query: Array, scale: float | None) -> Any:
    """As a number of the query's dtype, so that float32 stays float32."""
    return query.dtype.type(1 / math.sqrt(query.shape[-1]) if scale is None else scale)


def _repeated(array: Array, query: Array, who: str) -> Array:
    """Each head as often in a row as there are query heads that share it."""
    heads, of = array.shape[-3], query.shape[-3]
    if of % heads:
        raise ShapeError(f"{who}: {of} query heads cannot share {heads} heads evenly")
    return np.repeat(array, of // heads, axis=-3)


def _gathered(gradient: Array, operand: Array, shared: bool) -> Array | None:
    """The gradient of an operand that was repeated over heads or batches."""
    if shared:
        heads = operand.shape[-3]
        split = (*gradient.shape[:-3], heads, gradient.shape[-3] // heads, *gradient.shape[-2:])
        gradient = gradient.reshape(split).sum(-3)
    return unbroadcast(gradient, operand)
