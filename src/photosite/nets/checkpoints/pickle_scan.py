"""What a pickle would do if it were loaded, found by reading its instructions without following them.

torch's own `weights_only=True` reader is the lock; this is the look through the door before it. It names the classes
that the file asks for, whatever the pickle protocol, and turns away short files that unpack into a great deal, or into
tuples nested so deeply that using one as a key takes for ever. Knows neither tensors nor files, only a stream of bytes.
"""

from __future__ import annotations

import pickletools
import re
from typing import IO, Any

from photosite.errors import CorruptWeightsError, UnsafeWeightsError

MAX_INSTRUCTIONS = 1_000_000
"""A saved tensor takes about 30 instructions, and an instruction of one byte can make an object of 64 bytes."""

MAX_TUPLE_VALUES = 10_000
"""Values that one tuple may hold, counting those of the tuples inside it as often as they occur."""

_ALLOWED = re.compile(
    r"collections\.(OrderedDict|Counter)"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\.nn\.parameter\.Parameter"
    r"|torch\.serialization\._get_layout"
    r"|torch(\.cuda)?\.[A-Z]\w*Storage|torch\.storage\.(UntypedStorage|TypedStorage)"
    r"|torch\.(bfloat16|float\d\w*|u?int\d+|complex\d+|bool|Size|device)"
    r"|(builtins|__builtin__)\.set"
)
"""What a state dict needs: less than torch allows, which would also make byte arrays and tensors of any size."""

_Value = tuple[int, str | None]  # how many values it holds if it is a tuple, else 1; its text if it is a string
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")


def check_pickle(stream: IO[bytes], source: str) -> None:
    r"""Read one pickle from the stream, and refuse it unless it makes nothing but tensors and plain values.

    Args:
        stream: stands at the pickle's first byte; afterwards behind its last.
        source: what the error calls the file.

    Raises:
        UnsafeWeightsError: it asks for a class or function that weights do not need, or unpacks into too much.
        CorruptWeightsError: it is damaged, or of a protocol that torch does not read safely.

    >>> import io
    >>> check_pickle(io.BytesIO(b"cos\nsystem\n(S'ls'\ntR."), "x.pt")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    photosite.errors.UnsafeWeightsError: x.pt: asks Python for os.system, ...
    """
    scan = _Scan(source)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            scan.step(opcode, argument)
    except UnsafeWeightsError:
        raise
    except Exception as error:  # whatever a damaged pickle makes of the parser: ValueError, IndexError, KeyError ...
        scan.refuse_foreign()
        raise CorruptWeightsError(
            f"{source}: the list of tensors is damaged or cut short ({type(error).__name__})"
        ) from None
    scan.refuse_foreign()
    if scan.protocol != 2:
        raise CorruptWeightsError(
            f"{source}: pickled with protocol {scan.protocol}, which torch cannot read safely; "
            "save it again with torch.save as it comes (protocol 2), or as safetensors"
        )


class _Scan:
    """The stack of a pickle machine that knows of each value only how big a tuple and which string it is."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.protocol = 0
        self.foreign: dict[str, None] = {}  # in order, each once
        self._count = 0
        self._stack: list[_Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, _Value] = {}

    def step(self, opcode: Any, argument: Any) -> None:
        """Follow one instruction."""
        self._count += 1
        if self._count > MAX_INSTRUCTIONS:
            self.refuse_foreign()
            raise UnsafeWeightsError(
                f"{self.source}: its list of tensors has over {MAX_INSTRUCTIONS:,} instructions; weights have far fewer"
            )
        if opcode.name == "PROTO":
            self.protocol = argument
        elif opcode.name == "MARK":
            self._marks.append(len(self._stack))
        elif opcode.name in _PUTS:
            self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]
        elif opcode.name in _GETS:
            self._stack.append(self._memo[argument])
        else:
            self._replace(opcode, argument)

    def _replace(self, opcode: Any, argument: Any) -> None:
        """Take the instruction's operands from the stack and put its results there."""
        taken = self._take(opcode.stack_before)
        if opcode.name in ("GLOBAL", "INST"):
            self._ask_for(argument.replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            self._ask_for(".".join(text or "?" for _, text in taken))
        elif opcode.name.startswith("EXT"):
            self._ask_for(f"extension {argument}")
        if opcode.name in _TUPLES:
            size = 1 + sum(value[0] for value in taken)
            if size > MAX_TUPLE_VALUES:
                raise UnsafeWeightsError(
                    f"{self.source}: holds a tuple of more than {MAX_TUPLE_VALUES:,} values; weights have none"
                )
            self._stack.append((size, None))
        elif opcode.name == "DUP":
            self._stack += taken * 2
        else:
            text = argument if isinstance(argument, str) else None
            self._stack += [(1, text)] * len(opcode.stack_after)

    def _take(self, before: list[Any]) -> list[_Value]:
        count = len(before)
        taken: list[_Value] = []
        if pickletools.markobject in before:
            count = before.index(pickletools.markobject)
            mark = self._marks.pop()
            taken = self._stack[mark:]
            del self._stack[mark:]
        if count > len(self._stack):
            raise IndexError("the stack is empty")
        if count:
            taken = self._stack[-count:] + taken
            del self._stack[-count:]
        return taken

    def _ask_for(self, name: str) -> None:
        if not _ALLOWED.fullmatch(name):
            self.foreign[name] = None

    def refuse_foreign(self) -> None:
        """Raise UnsafeWeightsError if anything foreign was asked for so far."""
        if not self.foreign:
            return
        names = list(self.foreign)
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        first = names[0] if names[0].isprintable() else repr(names[0])
        kind = (
            "holds a whole model"
            if any(name.startswith("torch.nn.modules.") for name in names)
            else "is not plain weights"
        )
        raise UnsafeWeightsError(
            f"{self.source}: asks Python for {first[:120]}{more}, so it {kind}; where it was made and is trusted, "
            "save model.state_dict() with torch.save or as safetensors, and load that"
        )
