"""Which places of a picture speak for a class: class activation maps of any model, or a reason why there is none.

The layer and its layout are found from the graph and said in the result; a map that would be wrong, or all zero, is
refused with what to do instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from photosite.analysis.cam.explanation import Explanation
from photosite.analysis.cam.methods import FREE_METHODS, GRADIENT_METHODS, grad_cam, is_linear_head
from photosite.analysis.cam.perturbing import ablation_cam, score_cam
from photosite.analysis.cam.placing import How, Placing, fields, tiles
from photosite.analysis.cam.rollout import rollout
from photosite.analysis.cam.tap import Score, Tap, of_classes
from photosite.analysis.feature_map import MOVES
from photosite.analysis.features import Place, laid_out
from photosite.analysis.receptive_field import ReceptiveField
from photosite.errors import RangeError, ShapeError, UnknownNameError
from photosite.graph.ir import Graph, Node

METHODS = (*GRADIENT_METHODS, *FREE_METHODS, "scorecam", "ablationcam", "rollout", "gradientrollout")
ROLLOUTS = ("rollout", "gradientrollout")


class Explainer:
    """Makes class activation maps of one model for batches of one shape; the model is left as it is.

    Args:
        model: any vision model that gives scores (B, K), among other outputs or alone.
        example: a batch as it takes them.
        layers: nodes or module paths; the last that holds a picture and whose gradient is not zero if not given.
        output: the key of the scores among several outputs.
        placing: "tiles", as peers draw maps, or "fields": where the centers of receptive fields are, if they are known.
        graph: the model for inputs of the example's shape, where it was read before; it is read if not given.
    Raises:
        CaptureError: the model cannot be read.
        ShapeError: it gives no scores, or a layer holds no map of places.
        UnknownNameError: there is no such layer.
    """

    def __init__(
        self,
        model: nn.Module,
        example: Tensor,
        *,
        layers: str | Sequence[str] | None = None,
        output: str | None = None,
        placing: How = "tiles",
        graph: Graph | None = None,
    ) -> None:
        self.tap = Tap(model, example, output, graph)
        self.placing: How = placing
        sides = tuple(example.shape[1:3]) if example.shape[-1] in (1, 3) else tuple(example.shape[2:])
        self.input_hw: tuple[int, int] = (int(sides[0]), int(sides[1]))
        named = [layers] if isinstance(layers, str) else layers
        self.named = None if named is None else [self._named(name) for name in named]
        self._singles: dict[int, Tap] = {}

    def _named(self, name: str) -> Place:
        place = self.tap.place(name)
        if not place.layout:
            raise ShapeError(
                f"{name} ({place.node}) holds no map of places, shape {self.tap.graph.node(place.node).shape}"
            )
        return place

    @cached_property
    def last_map(self) -> Place:
        """The last value that still is a picture."""
        found = self.tap.last_map()
        if found is None or found.grid is None:
            why = "it never holds one" if found is None else found.reason
            raise ShapeError(f"no layer with rows and columns of places is known: {why}; name one with layer=")
        return self.tap.place(found.node)

    def layers(self, x: Tensor, score: Score) -> list[Place]:
        """The layers that are explained: those named, or the last one that the score depends on everywhere.

        Args:
            x: a batch.
            score: what is asked.
        """
        if self.named is not None:
            return self.named
        if "default" not in self.__dict__:
            self.__dict__["default"] = self._default(x, score)
        found: list[Place] = self.__dict__["default"]
        return found

    def _default(self, x: Tensor, score: Score) -> list[Place]:
        """The last map, or, where its places have no gradient, the last value before it whose places have."""
        last = self.last_map
        run = self.tap(x, [last.node], score)
        if _alive(run.gradients[last.node], last):
            return [last]
        found = self._last_alive(x, score, last)
        return [last if found is None else found]

    def _last_alive(self, x: Tensor, score: Score, last: Place) -> Place | None:
        """The last sum or norm with the same grid, in front of a value, whose places have a gradient."""
        before = [node for node in self._alike(last) if node.name != last.node]
        run = self.tap(x, [node.name for node in before], score)
        for node in reversed(before):
            place = self.tap.place(node.name)
            if _alive(run.gradients[node.name], place):
                return place
        return None

    def _alike(self, last: Place) -> list[Node]:
        """Sums and norms that hold the same grid of places, in order: the main line of a transformer.

        There may be other tokens in front of them: behind the last norm they are often cut off.
        """
        found = []
        for node in self.tap.graph:
            if node.kind in ("add", "layer_norm", "rms_norm") and len(node.shapes) == 1:
                place = self.tap.place(node.name)
                if place.layout == last.layout and place.grid == last.grid:
                    found.append(node)
            if node.name == last.node:
                break
        return found

    def __call__(
        self, x: Tensor, method: str = "gradcam", targets: Sequence[int] | int | None = None, score: Score | None = None
    ) -> list[list[Explanation]]:
        """Explain a batch.

        Args:
            x: (B, C, H, W), or as the model takes them.
            method: one of `METHODS`.
            targets: a class for each picture, or one for all; the one with the largest score if not given.
            score: one's own, in place of a class: from (B, K) to (B,).
        Returns:
            For each picture its maps, one for each layer.
        Raises:
            UnknownNameError: there is no such method.
            RangeError: there is no such class.
            ShapeError: x has another shape than the example.
        """
        if method not in METHODS:
            raise UnknownNameError("method", method, METHODS)
        classes = self.tap.graph.shape_of(self.tap.output)[1]
        asked = of_classes(targets, classes) if score is None else score
        if method in ROLLOUTS:
            return [[one] for one in self._rollout(x, method, targets, score, asked)]
        places = self.layers(x, asked)
        needs = method in GRADIENT_METHODS
        run = self.tap(x, [place.node for place in places], asked, gradients=needs)
        chosen = [-1] * len(x) if score is not None else _chosen(run.scores, targets)
        found: list[list[Explanation]] = [[] for _ in range(len(x))]
        for place in places:
            a = laid_out(run.values[place.node], place, "NCHW").float()
            gradient = run.gradients[place.node]
            g = None if gradient is None else laid_out(gradient, place, "NCHW").float()
            for number in range(len(x)):
                made, refused = self._map(method, x, place, a, g, number, chosen, asked, score)
                found[number].append(
                    self._explanation(method, place, chosen[number], float(run.chosen[number]), made, refused)
                )
        return found

    def _map(
        self,
        method: str,
        x: Tensor,
        place: Place,
        a: Tensor,
        g: Tensor | None,
        number: int,
        chosen: Sequence[int],
        asked: Score,
        score: Score | None,
    ) -> tuple[Tensor | None, str]:
        """One map, or why there is none."""
        one = slice(number, number + 1)
        if not bool(torch.isfinite(a[one]).all()):
            return None, f"activations of {place.node} are not all finite"
        if method in FREE_METHODS:
            return FREE_METHODS[method](a[one], a[one])[0], ""
        if method in ("scorecam", "ablationcam"):
            scored = score if score is not None else of_classes(chosen[number], 1 << 62)
            return self._perturbed(method, x[one], place, a[one], scored)[0], ""
        if g is None or not bool((g[one] != 0).any()):
            return None, self._dead(x, place, asked)
        if not bool(torch.isfinite(g[one]).all()):
            return None, f"gradients at {place.node} are not all finite"
        if method == "cam" and not is_linear_head(g[one]):
            return None, (
                f"between {place.node} and the score stands more than a mean and a linear layer: CAM is not defined; "
                "gradcam is"
            )
        return GRADIENT_METHODS[method](a[one], g[one])[0], ""

    def _dead(self, x: Tensor, place: Place, score: Score) -> str:
        """What to say where no place has a gradient, after looking where one has."""
        module = self._module(place)
        named = f"{place.node} ({module})" if module else place.node
        said = f"the score does not depend on any place of {named}: its gradient is 0"
        better = self._last_alive(x, score, place)
        if better is not None:
            return f"{said}; take {self._module(better) or better.node} instead"
        return f"{said}, and so it is in front of it: is the last layer all zeros, as before training?"

    def _perturbed(self, method: str, x: Tensor, place: Place, a: Tensor, score: Score) -> Tensor:
        """Score-CAM and Ablation-CAM, several changed pictures at once."""
        batch = min(16, a.shape[1])
        tap = self.several(x, batch)

        def padded(some: Tensor) -> Tensor:
            return torch.cat([some, some[:1].expand(batch - len(some), *some.shape[1:])]) if len(some) < batch else some

        if method == "scorecam":

            def masked(some: Tensor) -> Tensor:
                return tap(padded(some), [], score, gradients=False).chosen[: len(some)]

            return score_cam(x, a, masked, batch)
        whole = self.several(x, 1)
        value = whole(x, [place.node], score, gradients=False)

        def without(some: Tensor) -> Tensor:
            given = _put_back(padded(some), value.values[place.node], place)
            xs = x.expand(batch, *x.shape[1:])
            return tap(xs, [], score, given={place.node: given}, gradients=False).chosen[: len(some)]

        return ablation_cam(a, value.chosen, without, batch)

    def several(self, x: Tensor, batch: int) -> Tap:
        """The same model, tapped for so many pictures at once.

        Args:
            x: of the shape of its pictures.
            batch: how many.
        """
        if batch == self.tap.batch:
            return self.tap
        if batch not in self._singles:
            self._singles[batch] = Tap(self.tap.model, x[:1].expand(batch, *x.shape[1:]).contiguous(), self.tap.key)
        return self._singles[batch]

    def with_state(
        self, x: Tensor, one: Explanation, state: Mapping[str, Tensor], score: Score
    ) -> npt.NDArray[np.float32] | None:
        """The same map of one picture with other weights; None where there is none.

        Args:
            x: (1, C, H, W).
            one: a map of it.
            state: tensors by name, as `Tap.state` gives them.
            score: what was asked.
        """
        tap = self.several(x, 1)
        if one.method in ROLLOUTS:
            rolled = rollout(tap, x, score, weighed=one.method == "gradientrollout", state=state)
            return rolled.maps[0].numpy().astype(np.float32)
        place = self.tap.place(one.node)
        run = tap(x, [one.node], score, state=state)
        a, gradient = laid_out(run.values[one.node], place, "NCHW").float(), run.gradients[one.node]
        if one.method in FREE_METHODS:
            made = FREE_METHODS[one.method](a, a)[0]
        elif gradient is None:
            return None
        else:  # those that perturb are held to Grad-CAM's map of shuffled weights, which is quick
            made = GRADIENT_METHODS.get(one.method, grad_cam)(a, laid_out(gradient, place, "NCHW").float())[0]
        values: npt.NDArray[np.float32] = made.cpu().numpy().astype(np.float32)
        return values if np.isfinite(values).all() else None

    def _rollout(
        self, x: Tensor, method: str, targets: Sequence[int] | int | None, own: Score | None, asked: Score
    ) -> list[Explanation]:
        rolled = rollout(self.tap, x, asked, weighed=method == "gradientrollout")
        chosen = [-1] * len(x) if own is not None else _chosen(rolled.scores, targets)
        scores = asked(rolled.scores)
        notes = ("of attention alone: values, MLPs and norms are left out", f"read by {rolled.read_by}")
        made = [
            self._explanation(method, rolled.place, chosen[number], float(scores[number]), rolled.maps[number], "")
            for number in range(len(x))
        ]
        return [replace(one, notes=(*one.notes, *notes)) for one in made]

    def _explanation(
        self, method: str, place: Place, target: int, score: float, made: Tensor | None, refused: str
    ) -> Explanation:
        values = (
            np.full(place.grid, np.nan, np.float32)
            if made is None
            else made.detach().cpu().numpy().astype(np.float32).reshape(place.grid)
        )
        if not refused and not np.isfinite(values).all():
            refused = "the map is not finite"
        if not refused and place.grid == (1, 1):
            refused = f"{place.node} has a single place, so that a map of it says nothing; take a larger input or layer"
        if not refused and not (values > 0).any():
            refused = "no place speaks for the class: the map is nowhere above 0"
        placing, notes = self._placed(place)
        notes += self._origin(place)
        return Explanation(
            method=method,
            node=place.node,
            module=self._module(place),
            layout=place.layout,
            grid=place.grid,
            prefix=place.prefix,
            target=target,
            score=score,
            values=values,
            placing=placing,
            input_hw=self.input_hw,
            refused=refused,
            notes=notes,
        )

    def _placed(self, place: Place) -> tuple[Placing, tuple[str, ...]]:
        plain = tiles(place.grid, self.input_hw)
        if self.placing == "tiles":
            return plain, ()
        field = self.tap.fields.get(place.node)
        found = None if field is None else fields(ReceptiveField(place.node, field))
        return (plain, ("receptive fields are not known: drawn as tiles",)) if found is None else (found, ())

    def _module(self, place: Place) -> str:
        return self.tap.graph.node(place.node).module

    def _origin(self, place: Place) -> tuple[str, ...]:
        """Of a value that only moves another about, outside of all modules: where that comes from, and what is cut."""
        node = before = self.tap.graph.node(place.node)
        while not before.module and before.kind in MOVES and before.inputs and before.inputs[0] in self.tap.graph:
            before = self.tap.graph.node(before.inputs[0])
        if before is node:
            return ()
        source = self.tap.place(before.name)
        left_out = source.prefix - place.prefix if source.layout == place.layout == "tokens" else 0
        said = f"{node.name} is what {before.module or before.name} gives"
        return (f"{said}, without the {left_out} in front" if left_out > 0 else said,)


def explain(
    model: nn.Module,
    x: Tensor,
    method: str = "gradcam",
    targets: Sequence[int] | int | None = None,
    *,
    layer: str | None = None,
    output: str | None = None,
    placing: How = "tiles",
) -> list[Explanation]:
    """Explain a batch with one layer: the short way to `Explainer`, which reads the model once for many batches.

    Args:
        model: any vision model that gives scores.
        x: a batch as it takes them.
        method: one of `METHODS`.
        targets: a class for each picture, or one for all; the one with the largest score if not given.
        layer: a node or a module path; found if not given.
        output: the key of the scores among several outputs.
        placing: "tiles" or "fields".
    Returns:
        One for each picture.
    Raises:
        CaptureError, ShapeError, UnknownNameError, RangeError: as `Explainer`.
    """
    explainer = Explainer(model, x, layers=layer, output=output, placing=placing)
    return [maps[0] for maps in explainer(x, method, targets)]


def _chosen(scores: Tensor, targets: Sequence[int] | int | None) -> list[int]:
    if targets is None:
        return [int(one) for one in scores.argmax(1)]
    wanted = [targets] if isinstance(targets, int) else list(targets)
    if len(wanted) not in (1, len(scores)):
        raise RangeError(f"wants one target or {len(scores)}, got {len(wanted)}")
    return wanted * len(scores) if len(wanted) == 1 else wanted


def _alive(gradient: Tensor | None, place: Place) -> bool:
    """Whether some place has a gradient; a prefix token's does not count."""
    return gradient is not None and bool((laid_out(gradient, place, "NCHW") != 0).any())


def _put_back(values: Tensor, whole: Tensor, place: Place) -> Tensor:
    """Maps (n, C, h, w) in the layout of the layer's own value; what stands beside the places stays as it was."""
    if place.layout == "NCHW":
        return values.to(whole.dtype).reshape(len(values), *whole.shape[1:])
    if place.layout == "NHWC":
        return values.permute(0, 2, 3, 1).to(whole.dtype).reshape(len(values), *whole.shape[1:])
    rows, columns = place.grid
    out = whole.expand(len(values), *whole.shape[1:]).clone()
    out[:, place.prefix : place.prefix + rows * columns] = values.flatten(2).transpose(1, 2).to(whole.dtype)
    return out
