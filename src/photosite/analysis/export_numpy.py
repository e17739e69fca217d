"""A network as a script that a person can read from top to bottom, and that runs where there is nothing but NumPy."""

from __future__ import annotations

import io
import keyword
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from photosite.analysis.gather_source import Gathered
from photosite.analysis.replay import replay
from photosite.errors import PhotositeError
from photosite.files import write_whole
from photosite.graph.ir import Argument, Graph, Node, Ref
from photosite.graph.table import TABLE
from photosite.ops.arrays import Array

SCRIPT, WEIGHTS, EXAMPLE = "model.py", "weights.npz", "example.npz"


def export_numpy(
    graph: Graph,
    state: Mapping[str, Array],
    inputs: tuple[Array, ...],
    expected: Mapping[str, Array],
    folder: Path,
    name: str,
) -> float:
    """Write a network as `model.py`, with its weights and an example.

    Args:
        graph: functional.
        state: an array for each parameter and buffer that it reads.
        inputs: what the example is run on.
        expected: the outputs that PyTorch has for it, by where they stand in the model's result.
        folder: where to; made if it is not there. Each file is whole or absent.
        name: what the network is called.
    Returns:
        The largest difference between the outputs of our own run and those expected.
    Raises:
        UnsupportedOpError: an operation has no row.
        PhotositeError: the folder cannot be written to.
    """
    outputs = replay(graph, state, *inputs).outputs
    read = {name for node in graph for name in node.inputs} | {*graph.outputs}
    held = {key: np.asarray(state[key]) for key in state if key in read}
    held |= {key: graph.constants[key].array for key in graph.constants if key in read}
    example = dict(zip(graph.inputs, inputs, strict=True)) | {f"output {key}": array for key, array in expected.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / WEIGHTS, _npz(held))
        write_whole(folder / EXAMPLE, _npz(example))
        write_whole(folder / SCRIPT, script(graph, name).encode())
    except OSError as error:
        raise PhotositeError(f"export-numpy: cannot write to {folder}: {error.strerror or error}") from error
    return max(float(np.abs(output - expected[key]).max(initial=0)) for key, output in outputs.items())


def script(graph: Graph, name: str) -> str:
    """The text of `model.py`."""
    rows = {node.op: TABLE[node.op] for node in graph if node.op != "getitem"}
    gathered = Gathered(row.value for row in rows.values())
    writer = _Writer(graph, gathered)
    shapes = ", ".join(f"{n} {shape}" for n, shape in zip(graph.inputs, graph.input_shapes, strict=True))
    parameters = sum(math.prod(i.shape) for i in graph.parameters.values() if not (i.is_buffer or i.same_as))
    return f'''"""{name} in NumPy alone: {len(graph)} operations, {parameters:,} parameters.

Takes {shapes}. Below stand the operations, then the network, line by line in the order in which it runs; w holds
the weights under their names. `python {SCRIPT}` runs the example beside it and says how far the result is from
PyTorch's, which the example holds.

Written by photosite from a captured PyTorch model (MIT license for the operations).
"""

from __future__ import annotations

{gathered.text()}


def {writer.function}(w, {", ".join(writer.name(n) for n in graph.inputs)}):
    """The network; every line says what comes out."""
{writer.body()}


def main():
    """Run the example."""
    here = Path(__file__).parent
    weights, example = np.load(here / "{WEIGHTS}"), np.load(here / "{EXAMPLE}")
    outputs = {writer.function}(dict(weights), *(example[name] for name in {list(graph.inputs)!r}))
    for key, output in outputs.items():
        difference = np.abs(output - example["output " + key]).max()
        print(key, output.shape, output.dtype, f"largest difference to PyTorch: {{difference:.2g}}")


if __name__ == "__main__":
    main()
'''


class _Writer:
    """Writes the lines of one network."""

    def __init__(self, graph: Graph, gathered: Gathered) -> None:
        self.graph = graph
        self.gathered = gathered
        gathered.imports |= {"import numpy as np", "from pathlib import Path"}
        self.function = "network"
        taken = {*gathered.names, "w", "np", "Path", self.function, "main", *dir(__builtins__)}
        self._names: dict[str, str] = {}
        for name in (*graph.inputs, *(node.name for node in graph)):
            safe = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
            while safe in taken or keyword.iskeyword(safe) or not safe.isidentifier():
                safe = f"{safe}_" if safe.isidentifier() else f"v{safe}"
            taken.add(safe)
            self._names[name] = safe

    def name(self, name: str) -> str:
        """How a value is called in the script."""
        return self._names.get(name, f"w[{name!r}]")

    def body(self) -> str:
        """The lines."""
        lines: list[str] = []
        module: str | None = None
        for node in self.graph:
            if node.module != module:
                module = node.module
                lines += ["", f"    # {module or 'the model itself'}" + (f" ({node.module_type})" if module else "")]
            lines.append(f"    {self.name(node.name)} = {self._call(node)}  # {self._shape(node)}")
        outputs = zip(self.graph.output_keys, self.graph.outputs, strict=True)
        results = ", ".join(f"{key!r}: {self.name(name)}" for key, name in outputs)
        return "\n".join([*lines, "", f"    return {{{results}}}"]).lstrip("\n")

    def _call(self, node: Node) -> str:
        if node.op == "getitem":
            return f"{self._text(node.args[0])}[{node.args[1]}]"
        args = [self._text(argument) for argument in node.args]
        args += [f"{key}={self._text(argument)}" for key, argument in node.kwargs.items()]
        return f"{self.gathered.name_of(TABLE[node.op].value)}({', '.join(args)})"

    def _text(self, argument: Argument) -> str:
        if isinstance(argument, Ref):
            return self.name(argument.name)
        if isinstance(argument, tuple):
            inner = ", ".join(self._text(part) for part in argument)
            return f"[{inner}]"
        if isinstance(argument, float) and not math.isfinite(argument):
            return f'float("{argument}")'
        if isinstance(argument, str) and argument.startswith("torch."):
            try:
                return f'np.dtype("{np.dtype(argument.removeprefix("torch.")).name}")'
            except TypeError:
                return repr(argument)
        return repr(argument)

    def _shape(self, node: Node) -> str:
        return " ".join(str(shape) for shape in node.shapes)


def _npz(arrays: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
