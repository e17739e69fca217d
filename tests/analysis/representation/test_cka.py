"""Linear CKA: by hand, the published formulas written out, laws, noise, batches, two models, what is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from photosite.analysis.features import features
from photosite.analysis.representation import cka as module
from photosite.analysis.representation.cka import CkaSums, cka_between, gram, linear_cka
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.prep.recipes import get_recipe
from tests.analysis.rectified_networks import network

Array = npt.NDArray[Any]
RECIPE = get_recipe("cifar10").at(14)
NODES = ["norm", "relu2", "conv3", "head"]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def unbiased(*pairs: tuple[Array, Array]) -> float:
    """CKA by `CkaSums` of some batches."""
    sums = CkaSums(["x"], ["y"])
    for x, y in pairs:
        sums.add({"x": gram(torch.from_numpy(x))}, {"y": gram(torch.from_numpy(y))})
    return float(sums.cka()[0, 0])


def hsic(x: Array, y: Array) -> float:
    """Equation 5 of Song et al. 2012, as it is printed."""
    k, l, n = x @ x.T, y @ y.T, len(x)
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    between = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((np.trace(k @ l) + between - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3)))


def test_one_feature_by_hand() -> None:
    # squared correlations: (1 + 1)^2 / (4 * 2), and nothing in common
    x, y, z = (np.array(one)[:, None] for one in ([1.0, -1, 1, -1], [1.0, -1, 0, 0], [1.0, 1, -1, -1]))
    assert linear_cka(x, y) == pytest.approx(0.5)
    assert linear_cka(x, z) == 0
    assert linear_cka(x + 7, -3 * y) == pytest.approx(0.5)


@pytest.mark.parametrize("sides", [(5, 3), (40, 3), (3, 40), (200, 100)])
def test_matches_the_formula_over_pairs_of_pictures(sides: tuple[int, int]) -> None:
    x, y = noise(30, sides[0]) + 3, noise(30, sides[1], seed=1) ** 2
    y[:, 0] += x[:, 0]
    center = np.eye(30) - 1 / 30
    k, l = center @ x @ x.T @ center, center @ y @ y.T @ center
    assert linear_cka(x, y) == pytest.approx(np.trace(k @ l) / np.sqrt(np.trace(k @ k) * np.trace(l @ l)), rel=1e-10)


def test_the_unbiased_form_is_what_it_is_defined_by() -> None:
    x, y = noise(6, 3) + 2, noise(6, 4, seed=1)
    k, l = x @ x.T, y @ y.T
    terms = [
        k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(6), 4)
    ]  # of four pictures that differ
    assert hsic(x, y) == pytest.approx(np.mean(terms), rel=1e-10)
    ours = float((gram(torch.from_numpy(x)) * gram(torch.from_numpy(y))).sum()) / (6 * 3)
    assert ours == pytest.approx(np.mean(terms), rel=1e-10)


def test_batches_add_up_to_the_mean_of_their_hsic() -> None:
    batches = [(noise(8, 5, seed=n), noise(8, 5, seed=n) + noise(8, 5, seed=n + 50)) for n in range(5)]
    both, ours, theirs = (
        np.mean([hsic(*pair) for pair in pairs])
        for pairs in (batches, [(x, x) for x, _ in batches], [(y, y) for _, y in batches])
    )
    assert unbiased(*batches) == pytest.approx(both / np.sqrt(ours * theirs), rel=1e-10)
    large, small = (noise(20, 5), noise(20, 5, seed=9)), (noise(5, 5), noise(5, 5, seed=8))
    weights = [20 * 17, 5 * 2]
    both, ours, theirs = (
        sum(weight * hsic(pair[a], pair[b]) for weight, pair in zip(weights, (large, small), strict=True))
        for a, b in ((0, 1), (0, 0), (1, 1))
    )
    assert unbiased(large, small) == pytest.approx(both / np.sqrt(ours * theirs), rel=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(2, 30), st.floats(1e-3, 1e3))
def test_laws(seed: int, wide: int, narrow: int, factor: float) -> None:
    x, y = noise(12, wide, seed=seed), noise(12, narrow, seed=seed + 1)
    turn, _ = np.linalg.qr(noise(wide, wide, seed=seed + 2))
    for measure, least in ((linear_cka, 0.0), (lambda a, b: unbiased((a, b)), -1.0)):
        assert measure(x, x) == pytest.approx(1)
        assert measure(x @ turn * factor + factor, y) == pytest.approx(measure(x, y), abs=1e-8)
        assert measure(y, x) == pytest.approx(measure(x, y), abs=1e-12)
        assert least - 1e-12 <= measure(x, y) <= 1 + 1e-12


def test_other_linear_maps_change_it() -> None:
    x = noise(40, 6)
    stretched = x * np.array([10.0, 1, 1, 1, 1, 1])
    assert linear_cka(x, stretched) < 0.6
    assert unbiased((x, stretched)) < 0.6


def test_noise_is_alike_by_the_biased_form_only() -> None:
    found = {
        wide: (
            linear_cka(noise(64, wide), noise(64, wide, seed=1)),
            unbiased((noise(64, wide), noise(64, wide, seed=1))),
        )
        for wide in (64, 1000, 4096)
    }
    for wide, (biased, other) in found.items():
        assert biased == pytest.approx(wide / (wide + 64), abs=0.02)  # 0.985 of 4096
        assert abs(other) < 0.05
    many = [(noise(32, 500, seed=n), noise(32, 500, seed=n + 100)) for n in range(40)]
    assert abs(unbiased(*many)) < 0.01  # more batches, less noise


def test_what_does_not_change_has_no_likeness() -> None:
    x, same = noise(7, 3), np.tile(noise(1, 50) * 1000, (7, 1)).astype(np.float32)
    same[3] = np.nextafter(same[3], np.float32(0))  # as a network's rounding may leave it
    assert np.isnan(linear_cka(x, np.ones((7, 2))))
    assert np.isnan(unbiased((x, same)))
    assert not gram(torch.from_numpy(same)).any()
    same[3] *= 1 + 1e-5
    assert gram(torch.from_numpy(same)).any()


def test_features_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.from_numpy(noise(6, 5, 7) + 100)
    whole = gram(x)
    monkeypatch.setattr(module, "COLUMNS", 4)
    assert gram(x).numpy() == pytest.approx(whole.numpy(), abs=1e-10)


def photos(count: int) -> list[Array]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (20 + n % 5, 24 + n % 3, 3), np.uint8) for n in range(count)]


def rows(model: nn.Module, recipe: Any, given: list[Array], name: str) -> Array:
    x = torch.from_numpy(np.concatenate([recipe(picture) for picture in given]))
    value = model(x) if name == "head" else features(model, x, [name])[name]
    return value.detach().double().flatten(1).numpy()


def test_two_models_by_their_own_features() -> None:
    first, second = network(), network("in place")
    with torch.no_grad():
        for parameter in second.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    other, given = get_recipe("cifar10-imagenet-norm").at(14), photos(18)
    found = cka_between(first, NODES, second, ["conv3", "head"], iter(given), RECIPE, other, batch=8)
    assert found.shape == (4, 2)
    for i, a in enumerate(NODES):
        for j, b in enumerate(["conv3", "head"]):
            # two batches of 8; the last two pictures are too few
            parts = [given[:8], given[8:16]]
            wanted = unbiased(*[(rows(first, RECIPE, part, a), rows(second, other, part, b)) for part in parts])
            assert found[i, j] == pytest.approx(wanted, abs=1e-5)


def test_one_model_against_itself_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = network(), photos(13)
    runs, real = [], module.grams

    def counted(*arguments: Any) -> Iterable[dict[str, Tensor]]:
        runs.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(module, "grams", counted)
    found = cka_between(model, NODES, model, NODES, iter(given), RECIPE, RECIPE, batch=6)
    assert len(runs) == 1
    assert np.diag(found) == pytest.approx(np.ones(4))
    assert found == pytest.approx(found.T)
    twice = cka_between(model, NODES, copy.deepcopy(model), NODES, given, RECIPE, RECIPE, batch=6)
    assert found == pytest.approx(twice, abs=1e-12)


def test_a_last_batch_of_four_counts_filled_up_or_not() -> None:
    model, given = network(), photos(12)
    parts = [given[:8], given[8:]]
    wanted = unbiased(*[(rows(model, RECIPE, part, "conv3"), rows(model, RECIPE, part, "head")) for part in parts])
    found = cka_between(model, ["conv3"], model, ["head"], given, RECIPE, RECIPE, batch=8)
    assert found[0, 0] == pytest.approx(wanted, abs=1e-5)


def test_what_is_refused() -> None:
    model, x = network(), noise(5, 3)
    with pytest.raises(ShapeError, match=r"features of the same pictures, got \(5, 3\) and \(4, 3\)"):
        linear_cka(x, x[:4])
    with pytest.raises(RangeError, match="at least 2 pictures, got 1"):
        linear_cka(x[:1], x[:1])
    with pytest.raises(RangeError, match="cka: wants finite features"):
        linear_cka(x, np.full((5, 1), np.nan))
    with pytest.raises(RangeError, match="layer 3: wants finite features"):
        gram(torch.full((5, 1), torch.inf), "layer 3")
    with pytest.raises(RangeError, match="at least 4 pictures in a batch, got 3"):
        gram(torch.zeros(3, 2))
    with pytest.raises(RangeError, match="wants at least 4 pictures in a batch, got none with so many"):
        CkaSums("a", "b").cka()
    with pytest.raises(RangeError, match="cka: wants batch of at least 4, got 3"):
        cka_between(model, NODES, model, NODES, photos(9), RECIPE, RECIPE, batch=3)
    with pytest.raises(RangeError, match="got none with so many"):
        cka_between(model, NODES, model, NODES, photos(3), RECIPE, RECIPE)
    with pytest.raises(RangeError, match="cka: wants at least 1 picture, got none"):
        cka_between(model, NODES, model, NODES, [], RECIPE, RECIPE)
    with pytest.raises(UnknownNameError, match="conv3"):
        cka_between(model, ["conv33"], model, NODES, photos(9), RECIPE, RECIPE)
