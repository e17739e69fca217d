"""Which function says what an operation's results depend on: the column `reach` of the op table.

An operation without an entry is one whose dependence nobody has written down; it is reported, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable

from photosite.graph.reach import mixing, moving, rearranging, scattering, slicing, turning, windows
from photosite.graph.reach.call import Call
from photosite.graph.reach.field import Field

Rule = Callable[[Call], Field | list[Field]]

_PLACE_BY_PLACE = """
_prelu_kernel alpha_dropout celu dropout elu erf erfc feature_alpha_dropout feature_dropout gelu hardshrink hardsigmoid
hardswish hardtanh leaky_relu log_sigmoid logit mish prelu relu relu6 rrelu selu sigmoid silu softplus softshrink
special_erf special_erfc special_expit special_logit tanh threshold
abs absolute add.Tensor add.Scalar addcdiv addcmul arctan atan bitwise_and.Scalar bitwise_and.Tensor bitwise_not
bitwise_or.Scalar bitwise_or.Tensor bitwise_xor.Scalar bitwise_xor.Tensor ceil clamp clamp.Tensor clamp_max
clamp_max.Tensor clamp_min clamp_min.Tensor clip cos div.Scalar div.Scalar_mode div.Tensor div.Tensor_mode eq.Scalar
eq.Tensor exp exp2 expm1 floor floor_divide floor_divide.Scalar fmod.Scalar fmod.Tensor ge.Scalar ge.Tensor gt.Scalar
gt.Tensor isfinite isinf isnan le.Scalar le.Tensor lerp.Scalar lerp.Tensor log log10 log1p log2 logical_and logical_not
logical_or logical_xor lt.Scalar lt.Tensor masked_fill.Scalar masked_fill.Tensor max.other maximum min.other minimum
mul.Scalar mul.Tensor multiply.Tensor ne.Scalar ne.Tensor neg negative pow.Scalar pow.Tensor_Scalar pow.Tensor_Tensor
reciprocal remainder.Scalar remainder.Scalar_Tensor remainder.Tensor round round.decimals rsqrt rsub.Scalar rsub.Tensor
sgn sign sin sqrt square sub.Scalar sub.Tensor subtract.Tensor true_divide.Tensor trunc where.Scalar where.ScalarOther
where.ScalarSelf where.self
alias clone contiguous lift_fresh lift_fresh_copy detach
"""
_ITSELF = "to.dtype to.device to.dtype_layout _to_copy to.other type_as tril triu"
_NOTHING = """
arange arange.start arange.start_step linspace eye eye.m zeros empty.memory_format ones full scalar_tensor zeros_like
empty_like ones_like full_like new_zeros new_empty new_ones new_full zero
"""
_BY_NUMBER = """
gather take_along_dim scatter.src scatter.value scatter_add index_put index_select index_add embedding one_hot sort
sort.stable argsort topk repeat_interleave.self_Tensor
"""

REACH: dict[str, Rule] = {
    "softmax.int": mixing.along(1, "dim"),
    "log_softmax.int": mixing.along(1, "dim"),
    "_softmax": mixing.along(1, "dim"),
    "_log_softmax": mixing.along(1, "dim"),
    "special_softmax": mixing.along(1, "dim"),
    "special_log_softmax": mixing.along(1, "dim"),
    "cumsum": mixing.along(1, "dim"),
    # reductions
    "sum": mixing.reduction_of_all,
    "mean": mixing.reduction_of_all,
    "prod": mixing.reduction_of_all,
    "max": mixing.reduction_of_all,
    "min": mixing.reduction_of_all,
    "any": mixing.reduction_of_all,
    "all": mixing.reduction_of_all,
    "sum.dim_IntList": mixing.reduction,
    "mean.dim": mixing.reduction,
    "prod.dim_int": mixing.reduction,
    "logsumexp": mixing.reduction,
    "any.dim": mixing.reduction,
    "any.dims": mixing.reduction,
    "all.dim": mixing.reduction,
    "all.dims": mixing.reduction,
    "amax": mixing.reduction,
    "amin": mixing.reduction,
    "argmax": mixing.reduction,
    "argmin": mixing.reduction,
    "max.dim": mixing.picked,
    "min.dim": mixing.picked,
    "linalg_vector_norm": mixing.norm_of_vectors,
    "norm.ScalarOpt_dim": mixing.norm_of_vectors,
    **dict.fromkeys(("std.dim", "std.correction", "var.dim", "var.correction", "var_mean.correction"), mixing.spread),
    "norm.Scalar": mixing.reduction_of_all,
    # norms
    "batch_norm": mixing.batch_norm,
    "_native_batch_norm_legit_no_training": mixing.each(mixing.same),
    "_native_batch_norm_legit_functional": mixing.each(mixing.batch_norm),
    "native_dropout": mixing.each(mixing.same),
    "instance_norm": mixing.space_norm,
    "group_norm": mixing.space_norm,
    "layer_norm": mixing.layer_norm,
    "rms_norm": mixing.layer_norm,
    "native_layer_norm": mixing.each(mixing.layer_norm),
    "native_group_norm": mixing.each(mixing.space_norm),
    # products
    "linear": mixing.linear,
    "matmul": mixing.matmul,
    "mm": mixing.matmul,
    "bmm": mixing.matmul,
    "mv": mixing.matmul,
    "dot": mixing.matmul,
    "addmm": mixing.add_product,
    "baddbmm": mixing.add_product,
    "einsum": mixing.einsum,
    "scaled_dot_product_attention": mixing.attention,
    "lstm.input": mixing.recurrent,
    "gru.input": mixing.recurrent,
    "rnn_tanh.input": mixing.recurrent,
    "rnn_relu.input": mixing.recurrent,
    "outer": mixing.outer,
    **dict.fromkeys(("gru_cell", "lstm_cell"), mixing.cell),
    # windows
    "convolution": windows.convolution_any,
    **{f"conv{n}d{kind}": windows.convolution for n in (1, 2, 3) for kind in ("", ".padding")},
    **{f"conv_transpose{n}d{'' if n == 1 else '.input'}": windows.convolution_transposed for n in (1, 2, 3)},
    **{f"max_pool{n}d{kind}": windows.pool(n, dilated=True) for n in (1, 2, 3) for kind in ("", "_with_indices")},
    **{f"avg_pool{n}d": windows.pool(n, dilated=False) for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": windows.adaptive_pool(n) for n in (1, 2, 3) for kind in ("avg", "max")},
    **{f"upsample_nearest{n}d.vec": windows.upsampling("nearest") for n in (1, 2, 3)},
    **{f"_upsample_nearest_exact{n}d.vec": windows.upsampling("exact") for n in (1, 2, 3)},
    "upsample_linear1d.vec": windows.upsampling("linear"),
    "upsample_bilinear2d.vec": windows.upsampling("linear"),
    "upsample_trilinear3d.vec": windows.upsampling("linear"),
    "upsample_bicubic2d.vec": windows.upsampling("cubic"),
    "_upsample_bilinear2d_aa.vec": windows.upsampling("linear_aa"),
    "_upsample_bicubic2d_aa.vec": windows.upsampling("cubic_aa"),
    # views
    **dict.fromkeys(
        ("reshape", "view", "_unsafe_view", "reshape_as", "view_as", "flatten.using_ints", "unflatten.int"),
        moving.reshape,
    ),
    "permute": moving.permute,
    **dict.fromkeys(("transpose.int", "swapaxes", "swapdims"), moving.transpose),
    "t": moving.turned,
    "numpy_T": moving.turned,
    "mT": moving.matrix_turned,
    **dict.fromkeys(("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist"), moving.movedim),
    **dict.fromkeys(("squeeze", "squeeze.dim", "squeeze.dims"), moving.squeeze),
    "unsqueeze": moving.unsqueeze,
    **dict.fromkeys(("expand", "broadcast_to", "expand_as"), moving.expand),
    "slice.Tensor": slicing.sliced,
    "narrow": slicing.narrow,
    "select.int": slicing.select,
    **dict.fromkeys(("split.Tensor", "split_with_sizes", "split.sizes", "chunk"), slicing.split),
    **dict.fromkeys(("tensor_split.sections", "tensor_split.indices"), slicing.split),
    "unbind.int": slicing.unbind,
    **dict.fromkeys(("cat", "concat"), slicing.cat),
    "stack": slicing.stack,
    "roll": turning.roll,
    "flip": turning.flip,
    "pad": turning.pad,
    "constant_pad_nd": turning.pad,
    **{f"reflection_pad{n}d": turning.reflection_pad for n in (1, 2, 3)},
    **{f"replication_pad{n}d": turning.replication_pad for n in (1, 2, 3)},
    "repeat": turning.repeat,
    "tile": turning.tile,
    "copy": moving.copy,
    "fill.Scalar": mixing.nothing,
    "repeat_interleave.self_int": turning.repeat_interleave,
    "index.Tensor": moving.index,
    "pixel_shuffle": rearranging.pixel_shuffle,
    "pixel_unshuffle": rearranging.pixel_unshuffle,
    "channel_shuffle": mixing.same,
    "glu": moving.halved,
    "rot90": turning.rot90,
    "diagonal": moving.diagonal,
    **dict.fromkeys(("meshgrid", "meshgrid.indexing"), moving.meshgrid),
    "view_as_complex": moving.as_complex,
    "view_as_real": moving.as_pairs,
    "fill.Tensor": moving.copy,
    "slice_scatter": scattering.slice_scatter,
    "select_scatter": scattering.select_scatter,
    "col2im": scattering.col2im,
    "unfold": rearranging.unfold,
    "im2col": rearranging.im2col,
    **dict.fromkeys(_PLACE_BY_PLACE.split(), mixing.pointwise),
    **dict.fromkeys(_ITSELF.split(), mixing.same),
    **dict.fromkeys(_NOTHING.split(), mixing.nothing),
    **dict.fromkeys(_BY_NUMBER.split(), moving.by_number),
}
REACH = {f"aten.{op}" if "." in op else f"aten.{op}.default": rule for op, rule in REACH.items()}
"""By the full name of the operation."""

WITHOUT_ALL: frozenset[Rule] = frozenset((mixing.attention, mixing.matmul, mixing.einsum))
"""Those that still know where their result's places lie if one operand is unknown: it weighs, or is weighed."""

KEEPS_PIECES: frozenset[Rule] = frozenset((mixing.same, mixing.pointwise, mixing.batch_norm))
"""Those that leave channels apart, where they read one value alone."""
MAKES_PIECES: frozenset[Rule] = frozenset((slicing.cat, slicing.sliced, slicing.narrow, slicing.split))
