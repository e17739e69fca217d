"""What export hands over besides operations: constants, regions, and constructs that a graph cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from photosite.errors import CaptureError
from photosite.graph.capture import capture
from tests.graph import models


def test_tensors_that_are_in_no_state_dict_are_carried_along() -> None:
    graph = capture(models.Constants(), torch.zeros(4))
    assert dict(graph.parameters) == {}
    by_dtype = sorted((constant.dtype, constant.array.tolist()) for constant in graph.constants.values())
    assert by_dtype == [
        ("bfloat16", [1.5, 1.5, 1.5, 1.5]),
        ("float32", [0, 1, 2, 3]),
        ("float32", [1, 2, 3, 4]),
    ]
    assert graph.constants["passing"].array.dtype == np.float32
    assert_array_equal(graph.constants["plain"].array, [0, 1, 2, 3])


def test_regions_that_change_no_value_are_read_through() -> None:
    graph = capture(models.Regions(), torch.ones(2, 2))
    assert [node.kind for node in graph][:2] == ["mul", "add"]
    assert graph.producers("matmul")[0].kind == "add"


def test_autocast_is_refused_by_name_and_line() -> None:
    with pytest.raises(CaptureError, match=r"'wrap_with_autocast' is a construct .* at .*models.py:\d+$"):
        capture(models.Autocast(), torch.ones(2, 2))


def test_conditionals_are_refused_by_name() -> None:
    class Either(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(x.sum() > 0, lambda y: y * 2, lambda y: y + 1, (x,))

    with pytest.raises(CaptureError, match=r"^capture: 'cond' is a construct that this graph cannot hold"):
        capture(Either(), torch.ones(2))


def test_arguments_are_plain_data() -> None:
    class Casts(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.zeros(2, dtype=torch.float64, device="cpu")
            return x.to(torch.float64).contiguous(memory_format=torch.channels_last) + y

    graph = capture(Casts(), torch.ones(1, 2, 2, 2))
    said = {value for node in graph for value in (*node.args, *node.kwargs.values()) if isinstance(value, str)}
    assert said >= {"torch.float64", "torch.channels_last", "cpu"}
    assert [node.kind for node in graph].count("_assert_tensor_metadata") == 0


def test_a_buffer_that_is_counted_up_is_written_once() -> None:
    graph = capture(models.Counts(), torch.ones(2, 2))
    writers = [(node.kind, node.writes) for node in graph if node.in_place]
    assert writers == [("add", ("calls",)), ("mul", ("view",))]
    assert graph.aliases("x") >= {"x", "view"}
