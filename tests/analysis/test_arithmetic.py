"""Why a number is what it is: the terms sum up to PyTorch's own number, and lead down to the pixels."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from photosite.analysis.arithmetic import explain_value, follow
from photosite.analysis.replay import evaluate, node_gradients
from photosite.errors import RangeError, UnknownNameError, UnsupportedOpError
from photosite.graph.table import TABLE
from tests import zoo
from tests.analysis.networks import Convolutional, Tokens, ready
from tests.ops.explained import graph_of, leaves
from tests.ops.rows import as_torch, noise, torch_operation


def run(network: nn.Module, x: torch.Tensor, dtype: torch.dtype = torch.float32) -> tuple[Any, dict[str, Any]]:
    """A graph and all its values."""
    _, x, graph, state = ready(network, x, dtype)
    return graph, evaluate(graph, state, x.numpy())


def check_everywhere(graph: Any, values: dict[str, Any], seed: int = 0) -> dict[str, bool]:
    """Explain a number of every node's; say of each kind whether its terms sum up."""
    rng, sums = np.random.default_rng(seed), {}
    for node in graph:
        value = values[node.name]
        if isinstance(value, list) or value.dtype.kind != "f":
            continue
        index = tuple(int(rng.integers(side)) for side in value.shape)
        found = explain_value(graph, values, node.name, index)
        sums[node.kind] = found.is_sum
        assert found.value == value[index]
        if found.is_sum:
            scale = max(abs(found.value), sum(abs(term.product) for term in found.terms), 1e-30)
            assert abs(found.residual) <= 1e-5 * scale, (node.name, found.residual, scale)
            sizes = [abs(term.product) for term in found.terms]
            assert sizes == sorted(sizes, reverse=True)
        for term in found.terms[:20]:
            if term.source and not isinstance(values[term.source], list):
                assert values[term.source][term.index] == term.value
    return sums


@pytest.mark.parametrize("network", [Convolutional, Tokens])
def test_terms_sum_up_everywhere(network: type[nn.Module]) -> None:
    graph, values = run(network(), torch.randn(2, 3, 64, 64))
    sums = check_everywhere(graph, values)
    for kind in ("conv2d", "linear", "batch_norm", "layer_norm", "max_pool2d", "add", "relu", "adaptive_avg_pool2d",
                 "scaled_dot_product_attention", "cat", "permute", "gelu"):  # fmt: skip
        assert sums.get(kind, True), kind


@pytest.mark.parametrize(
    "name", ["torchvision:mobilenet_v3_small", "timm:convnextv2_atto", "torchvision:shufflenet_v2_x1_0"]
)
def test_networks_of_others(name: str) -> None:
    model, x = zoo.build(name)
    check_everywhere(*run(model, x[..., :64, :64]))


def test_a_convolution_by_hand_at_the_border() -> None:
    model = nn.Conv2d(2, 3, 3, padding=1)
    graph, values = run(model, torch.randn(1, 2, 5, 5), torch.float64)
    found = explain_value(graph, values, "conv2d", (0, 2, 0, 4))
    x, weight = values["input"], model.weight.detach().numpy()
    assert len(found.terms) == 2 * 2 * 2 + 1  # a corner: four of nine positions, and the bias
    wanted = {
        (0, c, y, 4 + dx): x[0, c, y, 4 + dx] * weight[2, c, y + 1, dx + 1]
        for c in range(2) for y in (0, 1) for dx in (-1, 0)
    }  # fmt: skip
    assert {t.index: t.product for t in found.terms if t.source == "input"} == pytest.approx(wanted)
    assert abs(found.residual) < 1e-14
    grouped = nn.Conv2d(4, 4, 3, 2, groups=2, dilation=2)
    graph, values = run(grouped, torch.randn(1, 4, 9, 9), torch.float64)
    found = explain_value(graph, values, "conv2d", (0, 3, 1, 1))
    assert {term.index[1] for term in found.terms if term.source == "input"} == {2, 3}
    assert abs(found.residual) < 1e-14


def test_attention_is_shares_times_values() -> None:
    graph, values = run(Tokens(), torch.randn(1, 3, 32, 32), torch.float64)
    node = next(node for node in graph if node.kind == "scaled_dot_product_attention")
    found = explain_value(graph, values, node.name, (0, 1, 5, 3))
    assert len(found.terms) == 17  # tokens
    assert math.fsum(term.factor for term in found.terms) == pytest.approx(1)
    assert all(term.factor > 0 and term.source == node.inputs[2] for term in found.terms)


def test_the_largest_terms_lead_to_a_pixel() -> None:
    graph, values = run(Convolutional(), torch.randn(1, 3, 64, 64))
    steps = follow(graph, values, graph.outputs[0], (0, 3), len(graph))
    assert len(steps) > 10
    for step, then in itertools.pairwise(steps):
        first = next(term for term in step.terms if term.source in graph)
        assert (first.source, first.index) == (then.node, then.index)
        assert first.value == then.value
    last = [term for term in steps[-1].terms if term.source in graph.inputs]
    assert last
    assert len(last[0].index) == 4
    assert len(follow(graph, values, graph.outputs[0], (0, 3), 2)) == 2


def test_a_module_stands_for_its_last_value() -> None:
    graph, values = run(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), torch.randn(1, 3, 8, 8))
    assert explain_value(graph, values, "0", (0, 1, 2, 3)).node == "relu"


def test_one_of_several_values() -> None:
    class Split(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = x.split([1, 2], 1)
            return a * b

    graph, values = run(Split(), torch.randn(1, 3, 4, 4))
    steps = follow(graph, values, "mul", (0, 1, 2, 3), 5)
    assert [step.op for step in steps] == ["aten.mul.Tensor", "getitem", "aten.split_with_sizes.default"]
    assert steps[-1].terms[0].source == "x"
    with pytest.raises(RangeError, match="begin with the number of one"):
        explain_value(graph, values, steps[-1].node, (2, 0, 0, 0, 0))


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, values = run(Convolutional(), torch.randn(1, 3, 64, 64))
    with pytest.raises(RangeError, match="none at"):
        explain_value(graph, values, graph.outputs[0], (0, 10))
    with pytest.raises(RangeError, match="none at"):
        explain_value(graph, values, graph.outputs[0], (0,))
    with pytest.raises(UnknownNameError):
        explain_value(graph, values, "nowhere", (0,))
    monkeypatch.delitem(TABLE, "aten.linear.default")
    with pytest.raises(UnsupportedOpError, match="no row"):
        explain_value(graph, values, graph.outputs[0], (0, 0))


X, Y, Z = noise(3, 4), noise(3, 4, seed=1), noise(3, 4, seed=2)
P, U = np.abs(X) + 0.1, 1 / (1 + np.exp(-X))
N, K, M = noise(3, 4, dtype="int64"), noise(3, 4, seed=1, dtype="int64"), noise(3, 4, dtype="bool")
V, Q, R = noise(1, 4, 6), noise(1, 4, 4, 5), noise(1, 2, 3, 4, 4)
C, D, STEPS = noise(4), np.abs(noise(4, seed=1)) + 0.1, noise(3, 1, 2)
GATES_OF = [noise(*shape, seed=i) for i, shape in enumerate(((8, 2), (8, 2), (8,), (8,)))]
# fmt: off
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("celu elu erf erfc gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid mish relu relu6 rrelu "
     "selu sigmoid silu softplus softshrink special_erf special_erfc special_expit tanh abs absolute arctan atan ceil "
     "cos exp exp2 expm1 floor isfinite isinf isnan neg negative reciprocal round sgn sign sin square trunc detach "
     "lift_fresh lift_fresh_copy zero mT numpy_T t alias clone contiguous all any amax amin argmax argmin argsort max "
     "min mean prod sum linalg_vector_norm sort flatten.using_ints squeeze tril triu diagonal glu norm.Scalar "
     "_to_copy empty_like ones_like zeros_like rot90 logical_not", (X,), {}),
    ("mul.Tensor multiply.Tensor div.Tensor true_divide.Tensor fmod.Tensor remainder.Tensor floor_divide maximum "
     "minimum max.other min.other eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor logical_and logical_or "
     "logical_xor expand_as reshape_as view_as copy type_as to.other", (X, Y), {}),
    ("mul.Scalar div.Scalar fmod.Scalar remainder.Scalar floor_divide.Scalar eq.Scalar ne.Scalar lt.Scalar le.Scalar "
     "gt.Scalar ge.Scalar full_like fill.Scalar clamp_min clamp_max clamp clip", (X, 0.7), {}),
    ("all.dims any.dims amax amin logsumexp mean.dim sum.dim_IntList std.dim var.dim var_mean.correction "
     "std.correction var.correction flip tile", (X, [1]), {}),
    ("upsample_bilinear2d.vec upsample_bicubic2d.vec _upsample_bilinear2d_aa.vec _upsample_bicubic2d_aa.vec",
     (Q, [3, 8], False, None), {}),
    ("sort.stable", (X,), {"stable": True}), ("log log10 log1p log2 rsqrt sqrt", (P,), {}),
    ("logit special_logit", (U,), {}), ("_softmax _log_softmax", (X, -1, False), {}), ("threshold", (X, 0.1, 2.0), {}),
    ("softmax.int log_softmax.int special_softmax special_log_softmax cumsum unbind.int unsqueeze", (X, 1), {}),
    ("squeeze.dim", (X[:, :1], 1), {}), ("squeeze.dims", (X[:, :1], [1]), {}),
    ("prelu _prelu_kernel", (X, np.full(4, 0.2)), {}), ("add.Scalar sub.Scalar rsub.Scalar", (X, 0.5, 2), {}),
    ("dropout alpha_dropout feature_dropout feature_alpha_dropout native_dropout", (X, 0.5, False), {}),
    ("add.Tensor sub.Tensor subtract.Tensor rsub.Tensor", (X, Y), {"alpha": 3}), ("all any logical_not", (M,), {}),
    ("add.Tensor mul.Tensor maximum div.Tensor", (X, Y[:1]), {}), ("bitwise_not relu tril sum max clone", (N,), {}),
    ("bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor eq.Tensor add.Tensor mul.Tensor", (N, K), {}),
    ("bitwise_and.Scalar bitwise_or.Scalar bitwise_xor.Scalar", (N, 3), {}), ("pow.Tensor_Scalar", (X, 3), {}),
    ("div.Tensor_mode", (X, Y), {"rounding_mode": "floor"}), ("div.Scalar_mode", (X, 0.3), {"rounding_mode": "trunc"}),
    ("remainder.Scalar_Tensor pow.Scalar", (2.5, P), {}), ("pow.Tensor_Tensor", (P, Y), {}),
    ("round.decimals", (X,), {"decimals": 1}), ("addcmul addcdiv", (X, Y, Z), {"value": 2}),
    ("lerp.Tensor", (X, Y, Z), {}), ("lerp.Scalar", (X, Y, 0.7), {}), ("clamp.Tensor", (X, Y, Y + 0.5), {}),
    ("clamp_min.Tensor clamp_max.Tensor", (X, Y), {}), ("where.self", (M, X, Y), {}),
    ("where.ScalarOther", (M, X, 2.0), {}), ("where.ScalarSelf", (M, 2.0, X), {}), ("where.Scalar", (M, 2.0, 3.0), {}),
    ("masked_fill.Scalar", (X, M, 2.0), {}), ("masked_fill.Tensor", (X, M, np.asarray(2.0)), {}), ("arange", (5,), {}),
    ("fill.Tensor", (X, np.asarray(2.0)), {}), ("norm.ScalarOpt_dim", (X, 2, [1]), {}), ("topk", (X, 2, 1), {}),
    ("all.dim any.dim argmax argmin max.dim min.dim prod.dim_int argsort sort", (X, 1), {}),
    ("linalg_vector_norm", (X, 3, [0]), {}), ("arange.start eye.m", (1, 5), {}), ("eye scalar_tensor", (3,), {}),
    ("arange.start_step linspace", (1, 9, 2), {}), ("ones zeros empty.memory_format", ([2, 3],), {}),
    ("full", ([2, 3], 1.5), {}), ("new_ones new_zeros new_empty", (X, [2, 3]), {}), ("new_full", (X, [2, 3], 1.5), {}),
    ("to.dtype", (N, np.dtype("float64")), {}), ("to.dtype_layout", (X,), {"dtype": np.dtype("float64")}),
    ("_unsafe_view reshape view", (X, [2, 6]), {}), ("broadcast_to expand repeat", (X, [2, 3, 4]), {}),
    ("cat concat stack", ([X, Y, X], 1), {}), ("meshgrid", ([C, D],), {}), ("pixel_unshuffle", (Q[..., :4], 2), {}),
    ("meshgrid.indexing", ([C, D],), {"indexing": "xy"}), ("channel_shuffle pixel_shuffle", (Q, 2), {}),
    ("chunk split.Tensor tensor_split.sections", (X, 2, 1), {}), ("im2col", (Q, [2, 2], [1, 1], [1, 0], [2, 1]), {}),
    ("split.sizes split_with_sizes tensor_split.indices", (X, [1, 3], 1), {}), ("permute", (V, [2, 0, 1]), {}),
    ("col2im", (noise(1, 8, 6), [3, 4], [2, 2], [1, 1], [0, 0], [1, 1]), {}), ("unflatten.int", (X, 1, [2, 2]), {}),
    ("moveaxis.int movedim.int swapaxes swapdims transpose.int", (V, 0, 2), {}), ("unfold", (X, 1, 2, 1), {}),
    ("moveaxis.intlist movedim.intlist", (V, [0, 1], [1, 2]), {}), ("repeat_interleave.self_int", (X, 2, 1), {}),
    ("repeat_interleave.self_Tensor", (X, np.array([1, 2, 3]), 0), {}), ("view_as_real", (X + 1j * Y,), {}),
    ("view_as_complex", (noise(3, 2),), {}), ("to.device", (X, "cpu", np.dtype("float64")), {}),
    ("embedding", (X, np.array([[1, 1], [1, 1]]), 1), {}), ("gather", (X, 1, np.array([[3, 0], [1, 2]])), {}),
    ("take_along_dim", (X, np.array([[3, 0]]), 1), {}), ("index.Tensor", (X, [np.array([2, 0]), np.array([1, 1])]), {}),
    ("index_put", (X, [np.array([2, 0])], Y[:2]), {}), ("index_put", (X, [np.array([2, 2])], Y[:2], True), {}),
    ("index_add", (X, 0, np.array([2, 2]), Y[:2]), {"alpha": 2}), ("index_select", (X, 1, np.array([3, 0])), {}),
    ("index_select", (N, 1, np.array([3, 0])), {}), ("narrow", (X, 1, 1, 2), {}), ("roll", (X, [1, 2], [0, 1]), {}),
    ("one_hot", (np.array([2, 0]), 4), {}), ("scatter.src scatter_add", (X, 1, np.array([[3, 0], [1, 2]]), Y), {}),
    ("scatter.value", (X, 1, np.array([[3, 0], [1, 2]]), 2.0), {}), ("select.int", (X, 1, 2), {}),
    ("select_scatter", (X, C, 0, 1), {}), ("slice.Tensor", (X, 1, 1, 4, 2), {}), ("pad", (V, [1, 2], "circular"), {}),
    ("slice_scatter", (X, Y[:, :2], 1, 0, 4, 2), {}), ("constant_pad_nd", (X, [1, 2, 0, 1], 0.5), {}),
    ("pad", (V, [1, 2], "reflect"), {}), ("reflection_pad1d replication_pad1d", (V, [1, 2]), {}),
    ("reflection_pad2d replication_pad2d", (Q, [1, 2, 0, 1]), {}), ("conv3d", (R, noise(2, 2, 2, 2, 2), noise(2)), {}),
    ("reflection_pad3d replication_pad3d", (R, [1, 1, 0, 1, 1, 0]), {}),
    ("conv1d", (V, noise(4, 2, 3), C, [2], [1], [1], 2), {}),
    ("conv2d", (Q, noise(2, 4, 3, 2), None, [1, 2], [2, 1], [2, 1]), {}),
    ("conv1d.padding", (V, noise(4, 4, 3), C, [1], "same"), {}),
    ("conv2d.padding", (Q, noise(2, 4, 2, 3), None, [1, 1], "same"), {}),
    ("conv3d.padding", (R, noise(2, 2, 2, 2, 2), noise(2), [1, 1, 1], "valid"), {}),
    ("conv_transpose1d", (V, noise(4, 2, 3), C, [2], [1], [1], 2), {}),
    ("conv_transpose2d.input", (Q, noise(4, 2, 3, 2), noise(2), [2, 1], [1, 0]), {}),
    ("conv_transpose3d.input", (R, noise(2, 2, 2, 2, 2)), {}), ("avg_pool1d", (V, [3], [2], [1], True, False), {}),
    ("convolution", (Q, noise(4, 2, 2, 2), C, [1, 1], [0, 1], [1, 2], False, [0, 0], 2), {}),
    ("convolution", (Q, noise(4, 2, 2, 2), noise(2), [2, 2], [0, 1], [1, 1], True, [1, 0], 1), {}),
    ("adaptive_avg_pool1d adaptive_max_pool1d", (V, [4]), {}), ("avg_pool3d", (R, [2, 2, 2]), {}),
    ("adaptive_avg_pool2d adaptive_max_pool2d", (Q, [3, 2]), {}),
    ("adaptive_avg_pool3d adaptive_max_pool3d", (R, [2, 2, 3]), {}),
    ("avg_pool2d", (Q, [3, 2], [2, 2], [1, 1], True, True, 5), {}),
    ("max_pool1d max_pool1d_with_indices", (V, [3], [2], [1], [1]), {}),
    ("max_pool2d max_pool2d_with_indices", (Q, [2, 3], [1, 2], [0, 1], [2, 1], True), {}),
    ("max_pool3d max_pool3d_with_indices", (R, [2, 2, 2], [1, 2, 2], [1, 0, 1]), {}),
    ("upsample_nearest1d.vec _upsample_nearest_exact1d.vec", (V, [9], None), {}),
    ("upsample_nearest2d.vec _upsample_nearest_exact2d.vec", (Q, [7, 3], None), {}),
    ("upsample_nearest3d.vec _upsample_nearest_exact3d.vec", (R, [4, 3, 5], None), {}),
    ("upsample_linear1d.vec", (V, [9], False, None), {}), ("upsample_trilinear3d.vec", (R, [4, 3, 5], True, None), {}),
    ("_native_batch_norm_legit_no_training", (Q, D, C, C, D, 0.1, 1e-5), {}), ("group_norm", (Q, 2, D, C), {}),
    ("batch_norm", (Q, D, C, C, D, False, 0.1, 1e-5, False), {}), ("rms_norm", (X, [4], D, 1e-5), {}),
    ("batch_norm instance_norm", (Q, D, C, None, None, True, 0.1, 1e-5, False), {}),
    ("_native_batch_norm_legit_functional", (Q[..., :2, :2], D, C, C, D, True, 0.1, 1e-5), {}),
    ("native_group_norm", (Q, D, C, 1, 4, 20, 2, 1e-5), {}), ("layer_norm native_layer_norm", (X, [4], D, C, 1e-5), {}),
    ("addmm", (C, X, noise(4, 4)), {"beta": 2, "alpha": 3}), ("bmm matmul", (noise(2, 3, 4), noise(2, 4, 3)), {}),
    ("baddbmm", (noise(2, 3, 3), noise(2, 3, 4), noise(2, 4, 3)), {}), ("mm matmul", (X, noise(4, 2)), {}),
    ("mv", (X, C), {}), ("dot outer", (C, D), {}), ("einsum", ("ij,kj->ik", [X, Y]), {}),
    ("linear", (X, noise(2, 4), noise(2)), {}),
    ("scaled_dot_product_attention", (noise(1, 2, 3, 4), noise(1, 2, 5, 4), noise(1, 2, 5, 4, seed=1)), {}),
    ("lstm.input", (STEPS, [noise(1, 1, 2), noise(1, 1, 2, seed=1)], GATES_OF, True, 1, 0.0, False, False, False), {}),
    ("gru.input", (STEPS, noise(1, 1, 2), [g[:6] for g in GATES_OF], True, 1, 0.0, False, False, False), {}),
    ("rnn_tanh.input", (STEPS, noise(1, 1, 2), [g[:2] for g in GATES_OF], True, 1, 0.0, False, False, False), {}),
    ("rnn_relu.input", (STEPS, noise(1, 1, 2), [abs(g[:2]) for g in GATES_OF], True, 1, 0.0, False, False, False), {}),
    ("lstm_cell", (STEPS[0], [noise(1, 2), noise(1, 2, seed=1)], *GATES_OF), {}),
    ("gru_cell", (STEPS[0], noise(1, 2), *(g[:6] for g in GATES_OF)), {}), ("kl_div", (X, U), {}),
    ("binary_cross_entropy", (U, U[::-1].copy(), P), {}), ("binary_cross_entropy_with_logits", (X, U, P, D, 0), {}),
    ("cross_entropy_loss nll_loss_nd nll_loss", (X, np.array([1, 3, 0]), D, 0), {}),
    ("nll_loss2d", (Q, np.arange(20).reshape(1, 4, 5) % 4, None, 0), {}),
    ("huber_loss l1_loss mse_loss smooth_l1_loss", (X, Y, 0), {}),
]
# fmt: on
"""Arguments for every row of the op table, those of several rows together; a row without a dot is its default one."""


def full(row: str) -> str:
    """A row's full name."""
    return f"aten.{row}" if "." in row else f"aten.{row}.default"


FUNCTIONS = """
_log_softmax _softmax celu elu erf erfc hardsigmoid log_sigmoid log_softmax.int logit selu sigmoid softmax.int softplus
special_erf special_erfc special_expit special_log_softmax special_logit special_softmax tanh arctan atan
bitwise_and.Scalar bitwise_and.Tensor bitwise_not bitwise_or.Scalar bitwise_or.Tensor bitwise_xor.Scalar
bitwise_xor.Tensor ceil cos div.Scalar_mode div.Tensor_mode eq.Scalar eq.Tensor exp exp2 expm1 floor floor_divide.Scalar
floor_divide fmod.Scalar fmod.Tensor ge.Scalar ge.Tensor gt.Scalar gt.Tensor isfinite isinf isnan le.Scalar le.Tensor
log log10 log1p log2 logical_and logical_not logical_or logical_xor lt.Scalar lt.Tensor ne.Scalar ne.Tensor pow.Scalar
pow.Tensor_Scalar pow.Tensor_Tensor reciprocal remainder.Scalar remainder.Scalar_Tensor remainder.Tensor round.decimals
round rsqrt sgn sign sin sqrt square trunc all all.dim all.dims any any.dim any.dims argmax argmin argsort
linalg_vector_norm logsumexp norm.Scalar norm.ScalarOpt_dim prod prod.dim_int std.correction std.dim var.correction
var.dim var_mean.correction arange arange.start arange.start_step empty.memory_format empty_like eye eye.m full
full_like linspace new_empty new_full new_ones new_zeros ones ones_like scalar_tensor zeros zeros_like view_as_complex
view_as_real one_hot gru.input gru_cell lstm.input lstm_cell rnn_relu.input rnn_tanh.input binary_cross_entropy
binary_cross_entropy_with_logits cross_entropy_loss huber_loss kl_div l1_loss mse_loss nll_loss nll_loss2d nll_loss_nd
smooth_l1_loss
""".split()  # noqa: SIM905
"""Rows whose numbers are no sums: of these the sources are told. Whoever makes one a sum takes it out here."""
PARTLY = {
    **dict.fromkeys((f"max_pool{n}d_with_indices" for n in (1, 2, 3)), (1,)),
    **dict.fromkeys((f"adaptive_max_pool{n}d" for n in (1, 2, 3)), (1,)),
    **dict.fromkeys(("max.dim", "min.dim", "sort", "sort.stable", "topk"), (1,)),
    **dict.fromkeys(("native_layer_norm", "native_group_norm"), (1, 2)),
    "_native_batch_norm_legit_functional": (1, 2, 3, 4),
}
"""Rows with several results, and those of them that are no sums: positions, and what norms found of their input."""


def copied(argument: Any) -> Any:
    """Arguments of which no two are the same array."""
    if isinstance(argument, list | tuple):
        return type(argument)(map(copied, argument))
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def of_torch(op: str, args: Any, kwargs: Any) -> list[np.ndarray]:
    """Torch's own results."""
    words = {key: as_torch(value) for key, value in kwargs.items()}
    return [part.numpy(force=True) for part in leaves(torch_operation(op)(*map(as_torch, args), **words))]


def others(array: np.ndarray, place: Any) -> set[Any]:
    """What can stand there instead: far, near, all that stands elsewhere, whole numbers around 0."""
    kept = array[place].item()
    found = {"b": {not kept}, "i": set(range(-5, 6))}.get(array.dtype.kind)
    return (found or {*array.ravel().tolist(), kept * 0.5 + 0.1, -kept - 3, kept + 5, kept * 2, 0.0}) - {kept}


def movers(op: str, args: Any, kwargs: Any, which: int, at: Any) -> set[tuple[str, Any]]:
    """The numbers among the arguments of which some change changes torch's result; not a change that torch refuses."""
    before, found = of_torch(op, args, kwargs)[which], set()
    arrays = [leaf for leaf in leaves([*args, *kwargs.values()]) if isinstance(leaf, np.ndarray)]
    for number, array in enumerate(arrays):
        for place in np.ndindex(array.shape):
            kept = array[place].copy()
            for other in others(array, place):
                array[place] = other
                try:
                    now = of_torch(op, args, kwargs)[which]
                except (RuntimeError, IndexError):
                    continue
                if now.shape == before.shape and not np.array_equal(now[at], before[at], equal_nan=True):
                    found.add((f"x{number}", place))
                    break
            array[place] = kept
    return found


@pytest.mark.parametrize(("rows", "args", "kwargs"), CASES, ids=[case[0].split()[0] for case in CASES])
def test_a_number_of_every_row(rows: str, args: Any, kwargs: Any, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(functools.partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(1)  # thousands of tiny calls: on a busy machine several threads took 40 times as long
    for row in rows.split():
        op = full(row)
        args, kwargs = copied(args), {key: copied(value) for key, value in kwargs.items()}
        graph, values = graph_of(op, args, kwargs)
        for which, part in enumerate(of_torch(op, args, kwargs)):
            if not part.size:
                continue
            at = tuple(int(i) for i in np.unravel_index(part.size * 2 // 3, part.shape))
            index = (which, *at) if isinstance(values["it"], list) else at
            found = explain_value(graph, values, "it", index)
            assert all(values[t.source][t.index].real == t.value for t in found.terms if t.source), op
            assert found.is_sum != (row in FUNCTIONS or which in PARTLY.get(row, ())), (op, which)
            if "empty" in row:  # whatever was there; ours are 0
                continue
            assert found.value == pytest.approx(float(part[at].real), rel=1e-9, abs=1e-12), op  # sums in another order
            listed = {(term.source, term.index) for term in found.terms if term.source}
            moving = set() if found.is_sum and listed else movers(op, args, kwargs, which, at)
            if found.is_sum:
                products = [found.value, *(-term.product for term in found.terms)]
                assert abs(math.fsum(products)) <= 1e-9 * sum(map(abs, products)), op
                assert not {name for name, _ in moving if values[name].dtype.kind == "f"}, op
            elif part.dtype.kind == "b" or "bitwise" in op:  # another operand can hold it in place
                assert moving <= listed, (op, which)
            else:
                assert moving == listed, (op, which)


def test_every_row_has_a_number_taken_apart() -> None:
    assert {full(row) for rows, _, _ in CASES for row in rows.split()} == set(TABLE)


def test_a_gate_that_is_shut_has_its_number_all_the_same() -> None:
    for x, wanted in (
        (-2.0, [("x0", -2.0, 0.0)]),
        (2.0, [("x0", 2.0, 1.0)]),
        (9.0, [("", 6.0, 1.0), ("x0", 9.0, 0.0)]),
    ):
        graph, values = graph_of("aten.relu6.default", (np.array([x]),), {})
        found = explain_value(graph, values, "it", (0,))
        assert [(term.source, term.value, term.factor) for term in found.terms] == wanted


def test_the_chain_goes_on_through_a_shut_gate() -> None:
    graph, values = run(nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()), torch.ones(1, 1, 1, 1))
    values |= {"conv2d": np.full((1, 1, 1, 1), -1.0), "relu": np.zeros((1, 1, 1, 1))}
    assert [step.node for step in follow(graph, values, "relu", (0, 0, 0, 0), 5)] == ["relu", "conv2d"]


def test_what_is_rounded_is_no_sum() -> None:
    graph, values = graph_of("aten.to.dtype", (noise(4), np.dtype("int64")), {})
    assert not explain_value(graph, values, "it", (1,)).is_sum


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    """An operation of which only a piece is run, with odd shapes and operands that lie in memory any way around."""
    a, b, c, d = (draw(st.integers(1, 4)) for _ in range(4))
    stride, pad, dilation, groups = (
        draw(st.integers(1, 4)),
        draw(st.integers(0, 1)),
        draw(st.integers(1, 2)),
        draw(st.integers(1, 2)),
    )
    dim, ceil, flag = draw(st.sampled_from((-1, -2, 0))), draw(st.booleans()), draw(st.booleans())
    x = noise(b + 2, a, c + 2).transpose(1, 0, 2)
    picture = noise(c + 4, 2 * groups, d + 4, a).transpose(3, 1, 0, 2)
    options: dict[str, tuple[Any, ...]] = {
        "conv2d": (picture, noise(2 * groups, 2, 2, 2), None, [stride, 1], [pad, 1], [1, dilation], groups),
        "avg_pool2d": (picture, [2, 3], [stride, 1], [pad, 1], ceil, flag, draw(st.sampled_from([None, 5]))),
        "max_pool2d": (picture, [2, 2], [1, stride], [1, pad], [dilation, 1], ceil),
        "adaptive_avg_pool2d": (picture, [a, b]),
        "upsample_bilinear2d.vec": (picture, [a + 2, d], flag, None),
        "softmax.int": (x, dim),
        "cumsum": (x, dim),
        "mean.dim": (x, [dim], flag),
        "amax": (x, [dim], flag),
        "logsumexp": (x, [dim], flag),
        "linalg_vector_norm": (x, 3, [dim]),
        "linear": (x, noise(d, c + 2), noise(d) if flag else None),
        "matmul": (x, noise(*((a,) if flag else ()), c + 2, d)),
        "mul.Tensor": (x, noise(b + 2, 1)),
        "add.Tensor": (noise(c + 2), x),
    }
    row = draw(st.sampled_from(sorted(options)))
    return full(row), options[row]


@given(calls(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_a_piece_gives_the_slopes_of_the_whole(call: tuple[str, tuple[Any, ...]], seed: int) -> None:
    op, args = call
    graph, values = graph_of(op, args, {})
    index = tuple(int(i) for i in np.unravel_index(seed % values["it"].size, values["it"].shape))
    grad = np.eye(1, values["it"].size, seed % values["it"].size).reshape(values["it"].shape)
    wanted = dict(node_gradients(graph.node("it"), grad, values))["x0"]
    found = {t.index: t.factor for t in explain_value(graph, values, "it", index).terms if t.source == "x0"}
    for at in {*found, *map(tuple, np.argwhere(wanted).tolist())}:
        assert found.get(at, 0.0) == pytest.approx(wanted[at], rel=1e-9, abs=1e-12), (op, at)  # sums in another order
