"""The op table: for each ATen operation that torch.export emits, the plain functions from `ops` that stand for it.

A row says how its value is computed, how a gradient goes back through it, and how many multiply-adds it costs. Every
analysis is a walk over a graph that looks rows up here, and has no case for any operation by itself. Knows no torch.
An operation without a row is unknown: it is reported by name, never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from photosite.ops import (
    activation,
    attention,
    batch_normalization,
    binary_loss,
    cells,
    convolution,
    distance,
    dropout,
    gates,
    linear,
    loss,
    normalization,
    recurrent,
    special,
)

Function = Callable[..., Any]


def no_macs(result: Any, *operands: Any, **options: Any) -> int:
    """An operation that multiplies nothing by a weight: its additions, comparisons and copies are not counted."""
    return 0


@dataclass(frozen=True)
class Row:
    """What is known of an operation; see `photosite.ops` for how the functions are called.

    Attributes:
        value: the result from the operands.
        vjp: the operands' gradients from the result's; None where none ever flows (comparisons, positions).
        macs: multiply-adds; of arrays it looks at shapes alone. 1 MAC is 2 FLOPs.
    """

    value: Function
    vjp: Function | None = None
    macs: Function = no_macs


_TRANSPOSED = Row(convolution.conv_transpose, convolution.conv_transpose_vjp, convolution.conv_transpose_macs)

TABLE: dict[str, Row] = {
    # activation
    "aten._log_softmax.default": Row(activation.inner_log_softmax, activation.inner_log_softmax_vjp),
    "aten._prelu_kernel.default": Row(gates.prelu_inner, gates.prelu_inner_vjp),
    "aten._softmax.default": Row(activation.inner_softmax, activation.inner_softmax_vjp),
    "aten.alpha_dropout.default": Row(dropout.dropout, dropout.dropout_vjp),
    "aten.celu.default": Row(gates.celu, gates.celu_vjp),
    "aten.dropout.default": Row(dropout.dropout, dropout.dropout_vjp),
    "aten.elu.default": Row(gates.elu, gates.elu_vjp),
    "aten.erf.default": Row(special.erf, special.erf_vjp),
    "aten.erfc.default": Row(special.erfc, special.erfc_vjp),
    "aten.feature_alpha_dropout.default": Row(dropout.dropout, dropout.dropout_vjp),
    "aten.feature_dropout.default": Row(dropout.dropout, dropout.dropout_vjp),
    "aten.gelu.default": Row(activation.gelu, activation.gelu_vjp),
    "aten.glu.default": Row(activation.glu, activation.glu_vjp),
    "aten.hardshrink.default": Row(gates.hardshrink, gates.hardshrink_vjp),
    "aten.hardsigmoid.default": Row(gates.hardsigmoid, gates.hardsigmoid_vjp),
    "aten.hardswish.default": Row(gates.hardswish, gates.hardswish_vjp),
    "aten.hardtanh.default": Row(gates.hardtanh, gates.hardtanh_vjp),
    "aten.leaky_relu.default": Row(gates.leaky_relu, gates.leaky_relu_vjp),
    "aten.log_sigmoid.default": Row(activation.log_sigmoid, activation.log_sigmoid_vjp),
    "aten.log_softmax.int": Row(activation.log_softmax, activation.log_softmax_vjp),
    "aten.logit.default": Row(special.logit, special.logit_vjp),
    "aten.mish.default": Row(activation.mish, activation.mish_vjp),
    "aten.native_dropout.default": Row(dropout.native_dropout, dropout.native_dropout_vjp),
    "aten.prelu.default": Row(gates.prelu, gates.prelu_vjp),
    "aten.relu.default": Row(activation.relu, activation.relu_vjp),
    "aten.relu6.default": Row(gates.relu6, gates.relu6_vjp),
    "aten.rrelu.default": Row(gates.rrelu, gates.rrelu_vjp),
    "aten.selu.default": Row(gates.selu, gates.selu_vjp),
    "aten.sigmoid.default": Row(activation.sigmoid, activation.sigmoid_vjp),
    "aten.silu.default": Row(activation.silu, activation.silu_vjp),
    "aten.softmax.int": Row(activation.softmax, activation.softmax_vjp),
    "aten.softplus.default": Row(activation.softplus, activation.softplus_vjp),
    "aten.softshrink.default": Row(gates.softshrink, gates.softshrink_vjp),
    "aten.special_erf.default": Row(special.erf, special.erf_vjp),
    "aten.special_erfc.default": Row(special.erfc, special.erfc_vjp),
    "aten.special_expit.default": Row(activation.sigmoid, activation.sigmoid_vjp),
    "aten.special_log_softmax.default": Row(activation.log_softmax, activation.log_softmax_vjp),
    "aten.special_logit.default": Row(special.logit, special.logit_vjp),
    "aten.special_softmax.default": Row(activation.softmax, activation.softmax_vjp),
    "aten.tanh.default": Row(activation.tanh, activation.tanh_vjp),
    "aten.threshold.default": Row(gates.threshold, gates.threshold_vjp),
    # elementwise
    # reductions
    # creation
    # views
    # indexing
    # padding
    # convolution
    "aten.conv1d.default": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv1d.padding": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv2d.default": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv2d.padding": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv3d.default": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv3d.padding": Row(convolution.conv, convolution.conv_vjp, convolution.conv_macs),
    "aten.conv_transpose1d.default": _TRANSPOSED,
    "aten.conv_transpose2d.input": _TRANSPOSED,
    "aten.conv_transpose3d.input": _TRANSPOSED,
    "aten.convolution.default": Row(convolution.convolution, convolution.convolution_vjp, convolution.convolution_macs),
    # pooling
    # resampling
    # normalization
    "aten._native_batch_norm_legit_functional.default": Row(
        batch_normalization.batch_norm_functional, batch_normalization.batch_norm_functional_vjp
    ),
    "aten._native_batch_norm_legit_no_training.default": Row(
        batch_normalization.batch_norm_no_training, batch_normalization.batch_norm_no_training_vjp
    ),
    "aten.batch_norm.default": Row(batch_normalization.batch_norm, batch_normalization.batch_norm_vjp),
    "aten.group_norm.default": Row(normalization.group_norm, normalization.group_norm_vjp),
    "aten.instance_norm.default": Row(batch_normalization.instance_norm, batch_normalization.instance_norm_vjp),
    "aten.layer_norm.default": Row(normalization.layer_norm, normalization.layer_norm_vjp),
    "aten.native_group_norm.default": Row(normalization.native_group_norm, normalization.native_group_norm_vjp),
    "aten.native_layer_norm.default": Row(normalization.native_layer_norm, normalization.native_layer_norm_vjp),
    "aten.rms_norm.default": Row(normalization.rms_norm, normalization.rms_norm_vjp),
    # linear
    "aten.addmm.default": Row(linear.addmm, linear.addmm_vjp, linear.addmm_macs),
    "aten.baddbmm.default": Row(linear.addmm, linear.addmm_vjp, linear.addmm_macs),
    "aten.bmm.default": Row(linear.matmul, linear.matmul_vjp, linear.matmul_macs),
    "aten.dot.default": Row(linear.matmul, linear.matmul_vjp, linear.matmul_macs),
    "aten.einsum.default": Row(linear.einsum, linear.einsum_vjp, linear.einsum_macs),
    "aten.linear.default": Row(linear.linear, linear.linear_vjp, linear.linear_macs),
    "aten.matmul.default": Row(linear.matmul, linear.matmul_vjp, linear.matmul_macs),
    "aten.mm.default": Row(linear.matmul, linear.matmul_vjp, linear.matmul_macs),
    "aten.mv.default": Row(linear.matmul, linear.matmul_vjp, linear.matmul_macs),
    "aten.outer.default": Row(linear.outer, linear.outer_vjp),
    # attention
    "aten.scaled_dot_product_attention.default": Row(
        attention.attention, attention.attention_vjp, attention.attention_macs
    ),
    # recurrent
    "aten.gru.input": Row(recurrent.gru, recurrent.gru_vjp, recurrent.gru_macs),
    "aten.gru_cell.default": Row(cells.gru_cell, cells.gru_cell_vjp, cells.gru_cell_macs),
    "aten.lstm.input": Row(recurrent.lstm, recurrent.lstm_vjp, recurrent.lstm_macs),
    "aten.lstm_cell.default": Row(cells.lstm_cell, cells.lstm_cell_vjp, cells.lstm_cell_macs),
    "aten.rnn_relu.input": Row(recurrent.rnn_relu, recurrent.rnn_relu_vjp, recurrent.gru_macs),
    "aten.rnn_tanh.input": Row(recurrent.rnn_tanh, recurrent.rnn_tanh_vjp, recurrent.gru_macs),
    # loss
    "aten.binary_cross_entropy.default": Row(binary_loss.binary_cross_entropy, binary_loss.binary_cross_entropy_vjp),
    "aten.binary_cross_entropy_with_logits.default": Row(
        binary_loss.binary_cross_entropy_with_logits, binary_loss.binary_cross_entropy_with_logits_vjp
    ),
    "aten.cross_entropy_loss.default": Row(loss.cross_entropy_loss, loss.cross_entropy_loss_vjp),
    "aten.huber_loss.default": Row(distance.huber_loss, distance.huber_loss_vjp),
    "aten.kl_div.default": Row(binary_loss.kl_div, binary_loss.kl_div_vjp),
    "aten.l1_loss.default": Row(distance.l1_loss, distance.l1_loss_vjp),
    "aten.mse_loss.default": Row(distance.mse_loss, distance.mse_loss_vjp),
    "aten.nll_loss.default": Row(loss.nll_loss, loss.nll_loss_vjp),
    "aten.nll_loss2d.default": Row(loss.nll_loss, loss.nll_loss_vjp),
    "aten.nll_loss_nd.default": Row(loss.nll_loss, loss.nll_loss_vjp),
    "aten.smooth_l1_loss.default": Row(distance.smooth_l1_loss, distance.smooth_l1_loss_vjp),
}
"""The rows, by the full name of the operation. Those in place have none: `functional` makes them ordinary first."""
