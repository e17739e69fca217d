"""Capture any PyTorch model as a `Graph`, and leave the model as it was.

Export runs before decomposition, so an operation is what the model's author wrote (`layer_norm`, not its six pieces).
"""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import logging
import sysconfig
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.fx._lazy_graph_module import _use_lazy_graph_module

from photosite.alone import MATH
from photosite.errors import CaptureError
from photosite.graph.ir import Graph
from photosite.graph.read import deepest_line, is_users, read_program

NOISY_LOGGERS = ("torch.export", "torch._export", "torch.fx.experimental.symbolic_shapes")


def capture(model: nn.Module, *example_inputs: Any, strict: bool = False, training: bool = False) -> Graph:
    """Read a model as a graph of ATen operations by running it once on fake tensors.

    The model's weights, buffers, attributes, training flags, gradients and random state stay as they were, also after
    an error. Its own hooks run, as they do in every forward pass. A compiled model is read as the model inside it.
    Attention is read in its explicit form, never as the fused fast path that torch has for inference.

    Args:
        model: any `torch.nn.Module`.
        example_inputs: what `forward` takes: tensors, or tuples and dicts of tensors; their shapes are the graph's.
            Numbers, strings and None among them are fixed to what they are here.
        strict: let torch.export read the Python code itself instead of running it.
        training: capture as in training, every module's flag on; by default as in evaluation, every flag off.

    Returns:
        The graph. Tied weights keep the name of the module that reads them; what was unwrapped or fixed is in `notes`.

    Raises:
        CaptureError: the model cannot be read; the message is one line and names the line of the model's code.

    >>> graph = capture(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), torch.zeros(1, 3, 8, 8))
    >>> [(node.kind, node.module, node.shape) for node in graph]
    [('conv2d', '0', (1, 8, 6, 6)), ('relu', '1', (1, 8, 6, 6))]
    >>> graph.node("conv2d").parameters
    {'weight': '0.weight', 'bias': '0.bias'}
    """
    if not isinstance(model, nn.Module):
        raise CaptureError(f"capture: wants a torch.nn.Module, got {type(model).__name__}")
    model, notes = unwrap(model)
    with MATH, as_it_was(model), _evaluation_form(lazy=not strict), _quiet():
        for module in model.modules():
            module.training = training
        try:
            program = torch.export.export(model, tuple(example_inputs), strict=strict)
        except Exception as error:
            raise CaptureError(_failure(model, error)) from error
        return read_program(program, model, notes)


def unwrap(model: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The model that `torch.compile` wrapped, with a note that says so; any other model as it is, without a note."""
    notes: tuple[str, ...] = ()
    while isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
        model, notes = inner, ("the model was compiled: read as the model inside, whose parameter names it has",)
    return model, notes


@contextlib.contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """Put a model's attributes, flags, hooks and registered tensors and torch's random state back at the end."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    containers = [
        (held, copy.copy(held))
        for _, attributes in before
        for held in attributes.values()
        if type(held) in (list, dict, set, OrderedDict)
    ]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for held, contents in containers:
                held.clear()
                held.extend(contents) if isinstance(held, list) else held.update(contents)
            for module, attributes in before:
                vars(module).clear()
                vars(module).update(attributes)


@contextlib.contextmanager
def _evaluation_form(*, lazy: bool) -> Iterator[None]:
    """Switch off gradients, compiled code and the fused attention of `nn.MultiheadAttention` while exporting.

    And, if it can be, the code that torch writes of every graph on the way, six times, which nobody runs: a fifth of
    the time. Strict mode runs it.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        eager = torch.compiler.set_stance("force_eager")
        with torch.inference_mode(False), torch.no_grad(), eager, _use_lazy_graph_module(lazy):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch.export prints about a failure off the terminal; ours is one line."""
    loggers = [logging.getLogger(name) for name in NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _failure(model: nn.Module, error: Exception) -> str:
    """One line: which model, where in it, the line of code, and torch's own reason."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    where = next((found for link in chain if (found := _blamed(link))), None)
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    if "data-dependent" in reason:
        reason = f"its way through the code depends on the picture's values, which a graph cannot hold ({reason})"
    module = _module_inside(model, chain)
    place = f" in {module}" if module else ""
    code = ""
    if where:
        code = f" at {where[0]}:{where[1]} `{linecache.getline(*where).strip()}`"
    return f"capture: {type(model).__name__} stopped{place}{code}: {type(error).__name__}: {reason}"


def _blamed(error: BaseException) -> tuple[str, int] | None:
    """File and line of the deepest frame in the model author's own code; in strict mode torch tells it separately."""
    frames = [(frame.f_code.co_filename, line) for frame, line in _frames(error)]
    frames += [(frame.filename, frame.lineno) for frame in getattr(error, "real_stack", None) or ()]
    library = sysconfig.get_path("stdlib")
    own = [f for f in frames if is_users(f[0]) and (not f[0].startswith(library) or "site-packages" in f[0])]
    return own[-1] if own else deepest_line(str(error))


def _module_inside(model: nn.Module, chain: list[BaseException]) -> str:
    """Dotted path and class of the innermost module that was running."""
    paths = {id(module): path for path, module in model.named_modules() if path}
    for error in chain:
        for frame, _ in reversed(_frames(error)):
            running = frame.f_locals.get("self")
            if id(running) in paths:
                return f"{paths[id(running)]} ({type(running).__name__})"
    return ""


def _frames(error: BaseException) -> list[tuple[Any, int]]:
    frames = []
    link = error.__traceback__
    while link is not None:
        frames.append((link.tb_frame, link.tb_lineno))
        link = link.tb_next
    return frames
