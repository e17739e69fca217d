"""Top activations: brute force, resumed anywhere, boxes in the photo, bounded memory, what is refused."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from photosite.analysis.features import features
from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.top_activations import (
    TopActivations,
    growing_top_activations,
    pictures_seen,
    top_activations,
)
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.capture import capture
from photosite.graph.functional import functional
from photosite.nets import create_model
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network

RECIPE = get_recipe("cifar10").at(14)
NODES = ["norm", "relu2", "conv3", "head"]
Picture = np.ndarray[Any, Any]


def photos(count: int = 23) -> list[Picture]:
    """Pictures of several sizes; two are the same."""
    generator = np.random.default_rng(0)
    found = [generator.integers(0, 256, (20 + n % 5, 24 + n % 3, 3), np.uint8) for n in range(23)]
    found[7] = found[2].copy()
    return found[:count]


def same(a: TopActivations, b: TopActivations) -> bool:
    return a.pictures == b.pictures and all(
        torch.equal(getattr(a.largest[node], name), getattr(b.largest[node], name))
        for node in a.largest
        for name in ("values", "pictures", "places", "sizes")
    )


def brute_force(model: nn.Module, given: Sequence[Picture], node: str, k: int) -> list[list[tuple[int, int]]]:
    """For each channel the pictures and places of the k largest, from the whole maps of all pictures."""
    x = torch.from_numpy(np.concatenate([RECIPE(picture) for picture in given]))
    maps = features(model, x, [node], "as it is")[node].flatten(2) if node != "head" else model(x)[:, :, None].detach()
    found = []
    for channel in range(maps.shape[1]):
        best = [(float(row.max()), int(row.argmax())) for row in maps[:, channel]]
        order = sorted(range(len(given)), key=lambda n: -best[n][0])[:k]  # Python's order is stable
        found.append([(n, best[n][1]) for n in order])
    return found


@pytest.mark.parametrize("way", ["modules in place", "modules"])
def test_brute_force(way: str) -> None:
    model, given = network(way), photos()
    found = top_activations(model, given, RECIPE, NODES, 5, batch=23)
    assert found.pictures == 23
    for node in NODES:
        held, wanted = found.largest[node], brute_force(model, given, node, 5)
        assert held.pictures.tolist() == [[picture for picture, _ in row] for row in wanted]
        assert held.places.tolist() == [[place for _, place in row] for row in wanted]
    for top in found.top("conv3", 4):
        value = features(model, torch.from_numpy(RECIPE(given[top.picture])), ["conv3"])["conv3"]
        assert top.place is not None
        assert top.value == pytest.approx(float(value[0, 4][top.place]), abs=1e-5)


def test_equal_pictures_come_in_their_order() -> None:
    found = top_activations(network(), [photos()[2]] * 3 + photos(), RECIPE, ["conv3"], 4, batch=4)
    for row in found.largest["conv3"].pictures.tolist():
        ranks = [row.index(n) for n in (0, 1, 2) if n in row]
        assert ranks == sorted(ranks)
        assert all(b - a == 1 for a, b in itertools.pairwise(ranks))


@pytest.mark.parametrize("until", [0, 1, 8, 13, 23])
def test_a_run_that_broke_goes_on_to_the_same_result(until: int, tmp_path: Path) -> None:
    model, given, path = network(), photos(), tmp_path / "state"
    wanted = top_activations(model, given, RECIPE, NODES, 3, batch=4)

    def breaking() -> Iterator[Picture]:
        yield from given[: max(until, 1)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        top_activations(model, breaking(), RECIPE, NODES, 3, batch=4, state=path, every=1)
    assert pictures_seen(path) == max(until, 1) // 4 * 4
    assert same(top_activations(model, given, RECIPE, NODES, 3, batch=4, state=path), wanted)
    assert pictures_seen(path) == 20  # whole batches only
    assert same(top_activations(model, given, RECIPE, NODES, 3, batch=4, state=path), wanted)  # nothing counts twice
    rest = top_activations(model, given[18:], RECIPE, NODES, 3, batch=4, state=path, first=18)
    assert same(rest, wanted)


def test_more_pictures_later(tmp_path: Path) -> None:
    model, given, path = network(), photos(), tmp_path / "state"
    top_activations(model, given[:10], RECIPE, NODES, 3, batch=4, state=path)
    found = top_activations(model, given, RECIPE, NODES, 3, batch=4, state=path)
    assert same(found, top_activations(model, given, RECIPE, NODES, 3, batch=4))


def test_prepared_batches_of_any_size_are_the_same() -> None:
    model, given = network(), photos()
    wanted = top_activations(model, given, RECIPE, NODES, 3, batch=4)
    x = np.concatenate([RECIPE(picture) for picture in given])
    sizes = [picture.shape[:2] for picture in given]
    for cuts in ([0, 23], [0, 4, 8, 23], [0, 1, 10, 11, 20, 23]):
        parts = [(x[a:b], sizes[a:b]) for a, b in itertools.pairwise(cuts)]
        assert same(top_activations(model, parts, RECIPE, NODES, 3, batch=4), wanted)
    mixed = [*given[:6], (torch.from_numpy(x[6:20]), sizes[6:20]), *given[20:]]
    assert same(top_activations(model, mixed, RECIPE, NODES, 3, batch=4), wanted)
    for recipe in (None, RECIPE):
        unsized = top_activations(model, [x], recipe, NODES, 3, batch=4)
        assert torch.equal(unsized.largest["conv3"].pictures, wanted.largest["conv3"].pictures)
        assert unsized.top("conv3", 0)[0].box is None


def test_boxes_are_the_exact_fields_in_the_photo() -> None:
    model, given = network(), photos()
    found = top_activations(model, given, RECIPE, NODES, 3, batch=8)
    field = ReceptiveFields(functional(capture(model, torch.zeros(8, 3, 14, 14))))["relu2"]
    for channel in range(8):
        for top in found.top("relu2", channel):
            assert top.place is not None
            assert top.input_box == field.unit_box(top.place)
            assert top.box == RECIPE.geometry(given[top.picture].shape[:2]).clipped_box(*top.input_box)
    # conv1, pool and conv2: 3, then 5, then 9 pixels wide, every other pixel; place p sees 2 p - 4 ... 2 p + 4
    assert field.unit_box((2, 6)) == (0, 8, 9, 14)
    # a photo 21 x 25 becomes 14 x 16 and loses a column on each side; a pixel is 3/2 high and 25/16 wide
    box = RECIPE.geometry((21, 25)).clipped_box(0, 8, 9, 14)
    assert box == (0, Fraction(225, 16), Fraction(27, 2), Fraction(375, 16))


def test_boxes_end_where_the_photo_does() -> None:
    padded = replace(RECIPE, size_hw=(10, 10))  # 10 pixels in the middle of 14
    found = top_activations(network(), [np.zeros((20, 20, 3), np.uint8)], padded, ["head", "conv1"], 1)
    assert found.top("head", 0)[0].box == (0, 0, 20, 20)
    for channel in range(8):
        top, left, bottom, right = found.top("conv1", channel)[0].box or (0, 0, 0, 0)
        assert 0 <= top <= bottom <= 20
        assert 0 <= left <= right <= 20


def test_values_without_places_see_all_of_the_input() -> None:
    found = top_activations(network(), photos(), RECIPE, ["head"], 2)
    top = found.top("head", 1)[0]
    assert top.place is None
    assert top.input_box is None
    assert top.box == RECIPE.geometry(photos()[top.picture].shape[:2]).crop_box


def test_tokens_have_places_and_say_what_sees_everything() -> None:
    model = create_model("vit_small_patch14_reg4_dinov2").eval()
    x = torch.randn(3, 3, 42, 56)
    found = top_activations(model, [x], None, ["blocks.1"], 2, batch=3)
    tokens = features(model, x, ["blocks.1"], "tokens")["blocks.1"]
    for top in found.top("blocks.1", 5):
        assert top.place is not None
        down, across = top.place
        assert top.value == float(tokens[top.picture, :, 5].max()) == float(tokens[top.picture, down * 4 + across, 5])
        assert top.input_box == (14 * down, 14 * across, 14 * down + 14, 14 * across + 14)
        assert top.global_by


def test_no_more_pictures_are_held_than_a_batch() -> None:
    class Watched:
        """A stream that counts how many of its pictures are still somewhere."""

        alive, most = 0, 0

        def __iter__(self) -> Iterator[Picture]:
            for _ in range(40):
                picture = photos(8)[0]
                self.alive += 1
                weakref.finalize(picture, self.gone)
                self.most = max(self.most, self.alive)
                yield picture
                del picture

        def gone(self) -> None:
            self.alive -= 1

    stream = Watched()
    found = top_activations(network(), stream, RECIPE, ["conv3"], 2, batch=8)
    assert found.pictures == 40
    assert stream.most <= 3


def test_the_model_is_left_as_it_was_and_read_as_in_evaluation() -> None:
    model, given = network("modules in place"), photos(9)
    wanted = top_activations(model, given, RECIPE, NODES, 2, batch=4)
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert same(top_activations(model, given, RECIPE, NODES, 2, batch=4), wanted)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert same(top_activations(torch.compile(model, backend="eager"), given, RECIPE, NODES, 2, batch=4), wanted)
    half = top_activations(model.half(), given, RECIPE, NODES, 2, batch=4)
    assert half.largest["conv3"].values.numpy() == pytest.approx(wanted.largest["conv3"].values.numpy(), abs=0.02)


def test_two_names_of_one_value_and_a_part_of_the_network() -> None:
    found = top_activations(network(), photos(), RECIPE, ["conv3", "conv2d_2"], 2)
    assert found.places["conv3"].node == found.places["conv2d_2"].node
    assert torch.equal(found.largest["conv3"].values, found.largest["conv2d_2"].values)
    assert found.largest["conv3"].values.isfinite().all()


def test_a_state_of_another_question_is_refused(tmp_path: Path) -> None:
    model, given, path = network(), photos(9), tmp_path / "state"
    top_activations(model, given, RECIPE, ["conv3"], 2, batch=4, state=path)
    arguments: dict[str, Any] = {"recipe": RECIPE, "nodes": ["conv3"], "k": 2, "batch": 4}
    for change, words in (
        ({"k": 3}, "k 2 there, 3 here"),
        ({"batch": 8}, "batch 4 there, 8 here"),
        ({"nodes": ["relu2"]}, "nodes"),
        ({"recipe": replace(RECIPE, mean=(0.5, 0.5, 0.5))}, "recipe"),
    ):
        with pytest.raises(RangeError, match=f"is of another question: .*{words}"):
            top_activations(model, given, **{**arguments, **change}, state=path)
    torch.nn.init.zeros_(model.get_submodule("conv3").weight)  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="another question: weights"):
        top_activations(model, given, **arguments, state=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RangeError, match="is no state of a run"):
        top_activations(model, given, **arguments, state=path)
    with pytest.raises(RangeError, match="is no state of a run"):
        pictures_seen(path)
    assert pictures_seen(tmp_path / "nothing") == 0


def test_picture_by_picture_it_grows_to_the_same_result() -> None:
    model, given = network().eval(), photos(9)
    x = torch.from_numpy(RECIPE(given[0]))
    graph = functional(capture(model, torch.zeros_like(x)))
    grown = growing_top_activations(model, iter(given), RECIPE, graph, NODES, 3)
    for count, found in enumerate(grown, 1):
        assert same(found, top_activations(model, given[:count], RECIPE, NODES, 3, batch=1)), count
    assert count == 9
    one = found.top("conv3", 1)[0]  # the boxes are there as well
    assert one == top_activations(model, given, RECIPE, NODES, 3, batch=1).top("conv3", 1)[0]
    other = functional(capture(model, torch.zeros(2, *x.shape[1:])))
    with pytest.raises(ShapeError, match=r"pictures give \(1, 3, 14, 14\), the graph takes \(2, 3, 14, 14\)"):
        next(growing_top_activations(model, iter(given), RECIPE, other, NODES))


def test_what_is_refused() -> None:
    model, given = network(), photos(3)
    with pytest.raises(UnknownNameError, match="conv3"):
        top_activations(model, given, RECIPE, ["conv33"])
    with pytest.raises(RangeError, match="at least 1 picture"):
        top_activations(model, [], RECIPE, NODES)
    with pytest.raises(RangeError, match="k of at least 1, got 0"):
        top_activations(model, given, RECIPE, NODES, 0)
    with pytest.raises(RangeError, match="wants a recipe"):
        top_activations(model, given, None, NODES)
    with pytest.raises(RangeError, match="at least 1 value to look at"):
        top_activations(model, given, RECIPE, [])
    with pytest.raises(RangeError, match="number 4, but only 0"):
        top_activations(model, given, RECIPE, NODES, first=4)
    with pytest.raises(ShapeError, match=r"picture 3 gives an input \(3, 15, 14\), the first one \(3, 14, 14\)"):
        top_activations(model, [*given, torch.zeros(1, 3, 15, 14)], RECIPE, NODES)
    with pytest.raises(ShapeError, match="3 pictures in a batch, and sizes of 1"):
        top_activations(model, [(torch.zeros(3, 3, 14, 14), [(4, 4)])], RECIPE, NODES)
    with pytest.raises(ShapeError, match=r"or prepared batches, got \(8, 8\) torch.uint8"):
        top_activations(model, [torch.zeros(8, 8, dtype=torch.uint8)], RECIPE, NODES)

    class Pieces(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.unflatten(2, (2, 7)).relu().flatten(1)

    with pytest.raises(ShapeError, match=r"relu \(32, 3, 2, 7, 14\) holds no map of places"):
        top_activations(Pieces(), given, RECIPE, ["relu"])
    found = top_activations(model, given, RECIPE, ["conv3"])
    with pytest.raises(RangeError, match="relu2 was not asked for, conv3 were"):
        found.top("relu2", 0)
    with pytest.raises(RangeError, match="12 channels, none at 12"):
        found.top("conv3", 12)
    assert len(found.top("conv3", 0)) == 3  # of 9 that were asked for
