"""Axes as products of parts: small cases by hand, and the law that cutting and joining undo each other."""

from __future__ import annotations

from math import prod

from hypothesis import given
from hypothesis import strategies as st

from photosite.analysis.axes import Axis, Part, fused, has_space, regroup, space_label, token_part

H, W, C = (Part("H", 4),), (Part("W", 6),), (Part("C", 8),)
B: Axis = (Part("B", 1),)


def labels(axes: tuple[Axis, ...] | None) -> list[str]:
    """The labels of each axis, with sizes: "H2" is a part of the rows."""
    return [" ".join(f"{part.label}{part.size}" for part in axis) for axis in axes or ()]


def test_flattening_a_map_gives_tokens_in_reading_order() -> None:
    tokens = regroup((B, H, W, C), (1, 24, 8))
    assert tokens is not None
    assert labels(tokens) == ["B1", "H4 W6", "C8"]
    found = token_part(tokens[1])
    assert found is not None
    assert found.grid == (4, 6)


def test_columns_before_rows_are_no_tokens_in_reading_order() -> None:
    assert token_part((*W, *H)) is None


def test_cutting_into_windows_and_joining_again() -> None:
    windows = regroup((B, H, W, C), (1, 2, 2, 3, 2, 8))
    assert windows is not None
    assert labels(windows) == ["B1", "H2", "H2", "W3", "W2", "C8"]
    assert [axis[0].is_outer for axis in windows] == [True, True, False, True, False, True]
    assert not any(space_label(axis) for axis in (windows[2], windows[4])), "the inside of a window is no picture"
    assert regroup(windows, (1, 4, 6, 8)) == (B, H, W, C)


def test_parts_in_another_order_are_not_the_same_axis() -> None:
    outer, inner = Part("H", 2, 2, 4), Part("H", 2, 1, 4)
    assert fused((outer, inner)) == H
    assert fused((inner, outer)) == (inner, outer)
    assert space_label((inner, outer)) == ""


def test_every_second_row_moved_to_the_channels_leaves_a_coarser_map() -> None:
    outer, inner = Part("H", 2, 2, 4), Part("H", 2, 1, 4)
    assert space_label((outer,)) == "H"
    assert not has_space((inner, *C))


def test_an_uneven_cut_is_unknown() -> None:
    assert regroup((H, W), (3, 8)) is None
    assert regroup((H,), (5,)) is None


def test_tokens_behind_others_cannot_be_cut() -> None:
    tokens = (Part("N", 25, grid=(4, 6), prefix=1),)
    assert regroup((tokens,), (5, 5)) is None, "25 is a square, which says nothing"
    assert regroup((B, tokens, C), (25, 1, 8)) is not None


def test_a_grid_of_one_place_is_a_grid() -> None:
    assert space_label((Part("H", 1),)) == "H"
    assert not has_space(())


@given(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_any_cut_joins_to_what_it_was(sides: list[int], random) -> None:  # type: ignore[no-untyped-def]
    """Cut each axis into its factors and join them: the same axes, up to parts of size 1 that say nothing."""
    axes = tuple((Part(label, side),) for label, side in zip("BHWC", sides, strict=False))
    cut = [
        factor
        for side in sides
        for factor in random.choice([[side], *([a, side // a] for a in (2, 3) if side % a == 0)])
    ]
    pieces = regroup(axes, cut)
    assert pieces is not None
    assert [prod(part.size for part in axis) for axis in pieces] == cut
    joined = regroup(pieces, sides)
    assert joined is not None
    assert [fused(axis) for axis in joined if prod(p.size for p in axis) > 1] == [a for a in axes if a[0].size > 1]
