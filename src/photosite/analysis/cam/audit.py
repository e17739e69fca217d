"""Is a class activation map true? Checks that each map of one picture goes through, each with a verdict and its number.

A map is held to what it is made of (values that are copies, a gradient that is not zero), to the model itself (parts of
the picture are covered, and what the score loses is compared with what the map says), and to chance (weights that are
shuffled have to give another map).

Source: occlusion as in Zeiler and Fergus 2014; deletion and insertion, Petsiuk, Das and Saenko 2018; shuffled weights,
Adebayo et al. 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.analysis.cam.explain import Explainer
from photosite.analysis.cam.explanation import Explanation
from photosite.analysis.cam.tap import Score, Tap, of_classes
from photosite.analysis.features import laid_out
from photosite.errors import RangeError

Verdict = Literal["good", "bad", "unclear"]
CELLS = 7
"""The picture is covered in so many rows and columns of cells, or as many as the map has places."""
ORDERS = 8
"""So many orders by chance are what deletion and insertion are compared with."""
STEPS = 7
"""In so many steps all cells are covered, or uncovered."""
AGREES, CONTRADICTS = 0.3, 0.0
"""Rank correlation with what covering costs: above the first is good, below the second is bad."""
ANOTHER, THE_SAME = 0.5, 0.8
"""Rank correlation with the map of shuffled weights: below the first is good, above the second is bad."""
BATCH = 16
Done = Callable[[int, int], None]
"""Called with how many covered pictures have been scored, and how many will be; what it raises ends the work."""


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: "copies", "layout", "gradient", "occlusion", "deletion", "insertion", "shuffled weights" or "model".
        verdict: "good", "bad" or "unclear".
        said: in words, with the numbers.
        value: the number that the verdict follows from; None where it follows from none.
    """

    name: str
    verdict: Verdict
    said: str
    value: float | None = None


def audit(
    explainer: Explainer,
    x: Tensor,
    one: Explanation,
    *,
    score: Score | None = None,
    seed: int = 0,
    on_batch: Done | None = None,
) -> tuple[Explanation, tuple[Check, ...]]:
    """Check a map of one picture; a map that contradicts the model is refused.

    Args:
        explainer: that made it, for one picture at a time or for several.
        x: (1, C, H, W), the picture.
        one: what it made of this picture.
        score: one's own, where the map follows one; from (B, K) to (B,), for any B.
        seed: of the orders by chance, and of the shuffled weights.
        on_batch: told how far it is, before each batch of covered pictures.
    Returns:
        The explanation, refused where a check says so, and the checks.
    Raises:
        RangeError: the map follows a score of one's own, and that was not given.
    """
    if score is None and one.target < 0:
        raise RangeError("audit: the map follows a score of your own; give it as score=")
    asked = of_classes(one.target, 1 << 62) if score is None else score
    before = _fingerprint(explainer.tap.model)
    checks = [_layout(one)]
    if not np.isnan(one.values).all():
        tap = explainer.several(x, BATCH)
        checks = [_copies(explainer, x, one, asked), *checks, *_gradient(explainer, x, one, asked)]
        if not one.refused:
            checks += _covered(tap, x, one, asked, seed, on_batch)
            checks.append(_shuffled(explainer, x, one, asked, seed))
    elif one.refused:
        checks.append(Check("gradient", "bad", one.refused))
    same = _fingerprint(explainer.tap.model) == before
    checks.append(
        Check("model", "good" if same else "bad", "left as it was" if same else "something of the model was changed")
    )
    by_name = {check.name: check for check in checks}
    worst = [name for name in ("copies", "model") if name in by_name and by_name[name].verdict == "bad"]
    against = [name for name in ("occlusion", "deletion") if name in by_name and by_name[name].verdict == "bad"]
    if not one.refused and worst:
        one = replace(one, refused=f"not to be trusted: {by_name[worst[0]].said}")
    elif not one.refused and len(against) == 2:
        one = replace(one, refused=f"it contradicts the model: {by_name['occlusion'].said}; {by_name['deletion'].said}")
    return one, tuple(checks)


def _copies(explainer: Explainer, x: Tensor, one: Explanation, score: Score) -> Check:
    """Two runs, one with gradients and one without: a value that something overwrites differs."""
    tap = explainer.several(x, 1)
    first = tap(x, [one.node], score).values[one.node]
    second = tap(x, [one.node], score, gradients=False).values[one.node]
    same = bool(torch.equal(first, second))
    return Check(
        "copies", "good" if same else "bad", "values are copies" if same else "values changed after they were read"
    )


def _layout(one: Explanation) -> Check:
    rows, columns = one.grid
    front = f", {one.prefix} in front" if one.prefix else ""
    return Check("layout", "good", f"{one.layout}, {rows} × {columns} places{front}, at {one.module or one.node}")


def _gradient(explainer: Explainer, x: Tensor, one: Explanation, score: Score) -> list[Check]:
    """How many of the places the score depends on."""
    place = explainer.tap.place(one.node)
    run = explainer.several(x, 1)(x, [one.node], score)
    gradient = run.gradients[one.node]
    share = 0.0 if gradient is None else float((laid_out(gradient, place, "NCHW") != 0).any(1).float().mean())
    verdict: Verdict = "good" if share > 0 else "bad"
    return [Check("gradient", verdict, f"the score depends on {share:.0%} of the places", share)]


def _covered(
    tap: Tap, x: Tensor, one: Explanation, score: Score, seed: int, on_batch: Done | None = None
) -> list[Check]:
    """Cover cells of the picture one by one, and in the map's order."""
    rows, columns = (min(CELLS, side) for side in one.grid)
    importance = _cells(one.over_input(), rows, columns).ravel()
    if importance.size < 4:
        return [Check("occlusion", "unclear", f"{rows} × {columns} cells are too few to compare")]
    generator = np.random.default_rng(seed)
    orders = [np.argsort(-importance, kind="stable"), *(generator.permutation(importance.size) for _ in range(ORDERS))]
    plans = {covers: np.concatenate([_steps(order, covers) for order in orders]) for covers in (True, False)}
    done, count = 0, 1 + importance.size + sum(map(len, plans.values()))

    def scores(covered: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        nonlocal done

        def told(at: int) -> None:
            if on_batch is not None:
                on_batch(done + at, count)

        found = _scores(tap, x, covered, (rows, columns), score, told)
        done += len(covered)
        return found

    whole = float(scores(np.zeros((1, importance.size), bool))[0])
    drops = whole - scores(np.eye(importance.size, dtype=bool))
    agreement = rank_correlation(importance, drops)
    verdict: Verdict = "good" if agreement >= AGREES else "bad" if agreement < CONTRADICTS else "unclear"
    said = f"rank correlation {agreement:.2f} with what the score loses where {rows} × {columns} cells are covered"
    checks = [Check("occlusion", verdict, said, agreement)]
    for name, covers in (("deletion", True), ("insertion", False)):
        curves = scores(plans[covers]).reshape(len(orders), -1).mean(1)
        own, chance = float(curves[0]), curves[1:]
        spread = float(chance.std(ddof=1)) or 1e-12
        apart = (float(chance.mean()) - own if covers else own - float(chance.mean())) / spread
        verdict = "good" if apart > 1 else "bad" if apart < -1 else "unclear"
        word = "covered" if covers else "uncovered"
        by_chance = f"{float(chance.mean()):.3g} ± {spread:.2g} by chance"
        checks.append(
            Check(
                name,
                verdict,
                f"mean score {own:.3g} with the map's places {word} first, {by_chance}",
                apart,
            )
        )
    return checks


def _steps(order: npt.NDArray[np.intp], covers: bool) -> npt.NDArray[np.bool_]:
    """Which cells are covered at each step: none to all, or all to none."""
    counts = np.unique(np.linspace(0, len(order), STEPS + 1).round().astype(int))[1:-1]
    covered = np.zeros((len(counts), len(order)), bool)
    for step, count in zip(covered, counts, strict=True):
        step[order[:count]] = True
    return covered if covers else ~covered


def _scores(
    tap: Tap,
    x: Tensor,
    covered: npt.NDArray[np.bool_],
    cells: tuple[int, int],
    score: Score,
    told: Callable[[int], None],
) -> npt.NDArray[np.float64]:
    """The score with some cells of the picture covered by its mean color."""
    last = x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3)
    height, width = (x.shape[1], x.shape[2]) if last else (x.shape[2], x.shape[3])
    rows = np.arange(height) * cells[0] // height
    columns = np.arange(width) * cells[1] // width
    of_pixel = torch.from_numpy(rows[:, None] * cells[1] + columns)
    mean = x.float().mean((1, 2) if last else (2, 3), keepdim=True).to(x.dtype)
    found = []
    for at in range(0, len(covered), tap.batch):
        told(at)
        masks = torch.from_numpy(covered[at : at + tap.batch])[:, of_pixel].to(x.device)  # (n, H, W)
        masks = masks[..., None] if last else masks[:, None]
        some = torch.where(masks, mean, x)
        full = (
            torch.cat([some, some[:1].expand(tap.batch - len(some), *some.shape[1:])])
            if len(some) < tap.batch
            else some
        )
        found.append(tap(full, [], score, gradients=False).chosen[: len(some)].double().cpu())
    result: npt.NDArray[np.float64] = torch.cat(found).numpy()
    return result


def _cells(values: npt.NDArray[np.float32], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Means of a map over cells."""
    height, width = values.shape
    of_row, of_column = np.arange(height) * rows // height, np.arange(width) * columns // width
    sums = np.zeros((rows, columns))
    np.add.at(sums, (of_row[:, None], of_column), values)
    return sums / np.maximum(
        np.outer(np.bincount(of_row, minlength=rows), np.bincount(of_column, minlength=columns)), 1
    )


def _shuffled(explainer: Explainer, x: Tensor, one: Explanation, score: Score, seed: int) -> Check:
    """The same map with the numbers of every weight in another order."""
    other = explainer.several(x, 1)
    generator = torch.Generator().manual_seed(seed)
    state = other.state()
    for name, tensor in other.model.named_parameters(
        remove_duplicate=False
    ):  # buffers are no weights: masks, texts to compare with
        if tensor.is_floating_point() and tensor.ndim > 1:
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            state[name] = tensor.detach().flatten()[order].reshape(tensor.shape)
    made = explainer.with_state(x, one, state, score)
    if made is None:
        return Check("shuffled weights", "good", "with shuffled weights there is no map at all")
    alike = rank_correlation(np.maximum(one.values, 0).ravel(), np.maximum(made, 0).ravel())
    verdict: Verdict = "good" if alike < ANOTHER else "bad" if alike > THE_SAME else "unclear"
    return Check("shuffled weights", verdict, f"rank correlation {alike:.2f} with the map of shuffled weights", alike)


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> float:
    """Spearman's rank correlation, ties by their mean rank; 0 where one of them does not vary.

    Args:
        a: (n,).
        b: (n,).

    >>> round(rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([5.0, 6.0, 7.0])), 6)
    1.0
    """
    ranks = [_ranks(np.asarray(one, np.float64)) for one in (a, b)]
    apart = [one - one.mean() for one in ranks]
    sizes = [float(np.sqrt((one**2).sum())) for one in apart]
    if min(sizes) < 1e-12:
        return 0.0
    return float(np.clip((apart[0] * apart[1]).sum() / (sizes[0] * sizes[1]), -1, 1))


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2)[places]


def _fingerprint(model: nn.Module) -> Sequence[object]:
    """What a model must still be afterwards: its flags, hooks, gradients, and which tensors at which version."""
    modules = [
        (name, one.training, len(one._forward_hooks), len(one._forward_pre_hooks), len(one._backward_hooks))
        for name, one in model.named_modules()
    ]
    tensors = [
        (name, one.data_ptr(), 0 if one.is_inference() else one._version, one.requires_grad, one.grad is None)
        for name, one in [*model.named_parameters(), *model.named_buffers()]
    ]
    return (*modules, *tensors, torch.is_grad_enabled(), torch.get_rng_state().numpy().tobytes())
