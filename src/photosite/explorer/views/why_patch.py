"""What the stations compute of a patch, as small graphs whose numbers can be opened: convolution, pooling, norms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from photosite.analysis.receptive_field import ReceptiveFields
from photosite.analysis.replay import run_node
from photosite.analysis.terms.term import Index, refs
from photosite.errors import RangeError
from photosite.explorer.message import Question
from photosite.explorer.views.convolution import PADDINGS, input_planes, weight_of
from photosite.explorer.views.normalization import CHANNELS, KERNELS, LUMA, PICTURES, corners_of
from photosite.explorer.views.patch import patch_of
from photosite.explorer.views.patch_embedding import used_embedding
from photosite.explorer.views.pooling import BLUR, WAYS, kernel_of
from photosite.explorer.views.recipes import chosen_recipe
from photosite.explorer.views.why_number import Below, Numbers
from photosite.explorer.views.why_photo import OfPlanes, luma_of
from photosite.explorer.workspace import Workspace
from photosite.graph.ir import Argument, FrozenMap, Graph, Node, Ref, TensorInfo
from photosite.ops.arrays import Array
from photosite.prep.geometry import Geometry
from photosite.prep.recipe import Picture

X, OUTPUT = "x", "output"
CONV, PAD, CAT = "aten.conv2d.default", "aten.pad.default", "aten.cat.default"
NORMS = ("batch", "layer", "token", "instance", "group", "rms")
EPS = 1e-5


class Steps:
    """A graph that is computed while it is written, by the library's own rows, in double precision.

    Args:
        x: what goes in.
    """

    def __init__(self, x: Array) -> None:
        self.values: dict[str, Any] = {X: x}
        self._nodes: list[Node] = []
        self._held: dict[str, TensorInfo] = {}

    def hold(self, name: str, array: Array) -> Ref:
        """A weight."""
        self.values[name] = array
        self._held[name] = TensorInfo(array.shape, str(array.dtype))
        return Ref(name)

    def add(self, name: str, op: str, *args: Argument) -> Ref:
        """An operation; a name that is taken gets a number."""
        count = sum(node.name.rstrip("0123456789 ") == name for node in self._nodes)
        name = f"{name} {count + 1}" if count else name
        node = Node(name, op, inputs=tuple(dict.fromkeys(one for each in args for one in refs(each))), args=args)
        value = run_node(node, self.values)
        self._nodes.append(replace(node, shapes=(value.shape,), dtypes=(str(value.dtype),)))
        self.values[name] = value
        return Ref(name)

    def numbers(self, below: Below, first: Index) -> Numbers:
        """What was computed, ready to be opened.

        Args:
            below: what x was made of.
            first: the number that is shown where none is named.
        """
        x, last = self.values[X], self._nodes[-1].name
        held = FrozenMap(self._held)
        graph = Graph(tuple(self._nodes), (X,), (last,), (x.shape,), (str(x.dtype),), ("output",), held)
        return Numbers(graph, self.values, ReceptiveFields(graph), below, (last, first), "a weight of the kernel")


def convolution_numbers(workspace: Workspace, question: Question) -> Numbers:
    """What the question `convolution` computes, with its settings."""
    picture, _ = patch_of(workspace, question)
    steps = Steps(input_planes(workspace, question, picture)[None])
    kernel = steps.hold("kernel", weight_of(question, steps.values[X].shape[1]))
    bias = steps.hold("bias", np.array([question.number("bias", -1e9, 1e9, 0)]))
    pad = question.pair("padding", 0, 64, 0)
    mode = PADDINGS[question.choice("mode", tuple(PADDINGS), "zero")]
    stride, dilation = question.pair("stride", 1, 64, 1), question.pair("dilation", 1, 64, 1)
    x = Ref(X)
    if any(pad) and mode != "constant":
        x, pad = steps.add("padded", PAD, x, (pad[1], pad[1], pad[0], pad[0]), mode), (0, 0)
    y = steps.add(OUTPUT, CONV, x, kernel, bias, stride, pad, dilation)
    return steps.numbers(planes_below(workspace, question, picture), _middle(steps.values[y.name]))


def pooling_numbers(workspace: Workspace, question: Question) -> Numbers:
    """What the question `pooling` computes, in the way `way`."""
    picture, _ = patch_of(workspace, question)
    asked = Question("why", {**question.query, "channels": "gray", "numbers": "unit"})
    steps = Steps(input_planes(workspace, asked, picture)[None])
    left = question.integer("left", 0, picture.shape[1] - 1, 0)
    width = question.integer("width", 1, picture.shape[1] - left, picture.shape[1] - left)
    way, times = question.choice("way", WAYS, "max"), question.integer("times", 1, 3, 1)
    kernel, blur = steps.hold("kernel", kernel_of(question)), steps.hold("1 2 1", BLUR)
    x = steps.add("shifted", "aten.slice.Tensor", Ref(X), 3, left, left + width)
    for _ in range(times):
        if way in ("max", "max-blur"):
            x = steps.add("largest", "aten.max_pool2d.default", x, (2, 2), (2, 2) if way == "max" else (1, 1))
        elif way == "average":
            x = steps.add("average", "aten.avg_pool2d.default", x, (2, 2), (2, 2))
        elif way in ("conv", "conv-blur"):
            x = steps.add("convolved", CONV, x, kernel, None, (2, 2) if way == "conv" else (1, 1))
        if "blur" in way:
            x = steps.add("blurred", CONV, x, blur, None, (2, 2))
    x = steps.add(OUTPUT, "aten.clone.default", x)
    return steps.numbers(planes_below(workspace, asked, picture), _middle(steps.values[x.name]))


def normalization_numbers(workspace: Workspace, question: Question) -> Numbers:
    """The block of the question `normalization`, normalized by `norm`."""
    picture, _ = patch_of(workspace, question)
    asked = Question("why", {**question.query, "channels": "rgb", "numbers": "unit"})
    norm, groups = question.choice("norm", NORMS, "batch"), question.integer("groups", 1, len(CHANNELS), 2)
    if len(CHANNELS) % groups:
        raise RangeError(f"why: groups wants a divisor of {len(CHANNELS)}, got {groups}")
    steps = Steps(input_planes(workspace, asked, picture)[None])
    luma = steps.add("luma", CONV, Ref(X), steps.hold("luma weights", LUMA))
    around = steps.add("padded", PAD, luma, (1, 1, 1, 1), "replicate")
    edges = steps.add("edges", CONV, around, steps.hold("kernels", KERNELS))
    planes = steps.add("planes", CAT, (Ref(X), edges), 1)
    tops, lefts, (high, wide) = corners_of(
        (picture.shape[0], picture.shape[1]), PICTURES, question.integer("seed", 0, 9, 0)
    )
    crops = []
    for top, left in zip(tops.tolist(), lefts.tolist(), strict=True):
        rows = steps.add("rows", "aten.slice.Tensor", planes, 2, top, top + high)
        crops.append(steps.add("crop", "aten.slice.Tensor", rows, 3, left, left + wide))
    block = steps.add("block", CAT, tuple(crops), 0)
    if norm == "batch":
        args: tuple[Argument, ...] = (block, None, None, None, None, True, 0.1, EPS, False)
        steps.add(OUTPUT, "aten.batch_norm.default", *args)
    elif norm == "instance":
        steps.add(OUTPUT, "aten.instance_norm.default", block, None, None, None, None, True, 0.1, EPS, False)
    elif norm in ("layer", "group"):
        steps.add(OUTPUT, "aten.group_norm.default", block, 1 if norm == "layer" else groups, None, None, EPS)
    else:
        last = steps.add("channels last", "aten.permute.default", block, (0, 2, 3, 1))
        each = (len(CHANNELS),)
        if norm == "token":
            last = steps.add("norm", "aten.layer_norm.default", last, each, None, None, EPS)
        else:
            last = steps.add("norm", "aten.rms_norm.default", last, each, None, EPS)
        steps.add(OUTPUT, "aten.permute.default", last, (0, 3, 1, 2))
    return steps.numbers(planes_below(workspace, asked, picture), (0, 0, 0, 0))


def patch_numbers(workspace: Workspace, question: Question) -> Numbers:
    """One filter of the question `patch-embedding` over a model's input."""
    photo, used = workspace.photo(question.text("photo")), used_embedding(workspace, question)
    steps = Steps(used.x[None].astype(np.float64))
    kernel = steps.hold("weight", used.embedding.weight[used.filter : used.filter + 1])
    bias = steps.hold("bias", used.embedding.bias[used.filter : used.filter + 1].astype(np.float64))
    y = steps.add(OUTPUT, CONV, Ref(X), kernel, bias, (used.side, used.side))
    small = used.recipe.cropped(used.recipe.resized(photo.picture))
    geometry = used.recipe.geometry((photo.picture.shape[0], photo.picture.shape[1]))
    below = OfPlanes(photo, small, geometry, used.recipe.pad_color, numbers="normalized", recipe=used.recipe)
    return steps.numbers(below, _middle(steps.values[y.name]))


def planes_below(workspace: Workspace, question: Question, picture: Picture) -> OfPlanes:
    """The patch and the photo below the numbers of `input_planes`."""
    photo = workspace.photo(question.text("photo"))
    height, width = photo.picture.shape[:2]
    _, box = patch_of(workspace, question)
    size_hw = picture.shape[0], picture.shape[1]
    whole = question.choice("cut", ("whole", "square"), "whole") == "whole"
    resized, start = (size_hw, (0, 0)) if whole else ((height, width), (box[0], box[1]))
    gray = question.choice("channels", ("gray", "rgb"), "rgb") == "gray"
    numbers = question.text("numbers", "levels")
    return OfPlanes(
        photo,
        picture,
        Geometry((height, width), resized, size_hw, start, "bilinear"),
        numbers=numbers,
        recipe=chosen_recipe(workspace, question) if numbers == "normalized" else None,
        luma=luma_of(picture) if gray else None,
    )


def _middle(y: Array) -> Index:
    return 0, 0, y.shape[2] // 2, y.shape[3] // 2
