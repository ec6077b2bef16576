"""A pickle read without doing what it says: its instructions are followed on paper.

``torch.load(weights_only=True)`` runs nothing that a file brings along, but it does what the file says with the calls
it allows: it reserves the memory they ask for and hashes whatever is made a key. A hundred kilobytes then cost four
gigabytes or minutes. So a checkpoint is scanned first. The scan knows the instructions that ``torch.save`` writes; a
call becomes a note of what was called (`harness.files.pickle_calls`), and tensors a note of their sizes.
"""

import struct
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

# Keys that take no time to look up, however often what they are made of is shared.
KEYS = (str, int, float, type(None))


class UnsoundError(ValueError):
    """What is wrong with a file, as a clause that can follow its name; ends without a full stop."""


class Pairs:
    """A dictionary on paper: nothing is hashed."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.values: list[Any] = []

    def put(self, key: Any, value: Any) -> None:
        """Set an entry; an earlier one of the same key stays beside it."""
        if not isinstance(key, KEYS):
            raise UnsoundError(
                "has a dictionary whose keys are neither text nor numbers; save it again with plain ones"
            )
        self.keys.append(key)
        self.values.append(value)

    def get(self, key: str) -> Any:
        """The last value of a key, None where there is none."""
        at = next((i for i in reversed(range(len(self.keys))) if self.keys[i] == key), None)
        return None if at is None else self.values[at]


@runtime_checkable
class Calls(Protocol):
    """What becomes of names, calls and references to storage."""

    def name(self, module: str, name: str) -> Any:
        """A name of a module."""

    def call(self, function: Any, arguments: Any) -> Any:
        """What a call would give."""

    def build(self, made: Any, state: Any) -> None:
        """State set on what a call gave."""

    def storage(self, reference: Any) -> Any:
        """What a persistent reference stands for."""


def scan(data: Any, begin: int, calls: Calls) -> tuple[Any, int]:
    """Follow a pickle on paper.

    Args:
        data: bytes, or a mapped file.
        begin: where the pickle begins.
        calls: judges what it names and calls.

    Returns:
        What it would make: numbers, texts, lists, tuples, `Pairs` and what ``calls`` returned; and where it ends.

    Raises:
        UnsoundError: a key that could take long to look up, or something that ``calls`` refuses.
        Exception: any other, where the bytes are no pickle of ``torch.save``.
    """
    machine = _Machine(data, begin, calls)
    while (code := machine.take(1)[0]) != _STOP:
        if code not in _INSTRUCTIONS:
            raise ValueError(f"instruction {code} is not one of torch.save")
        _INSTRUCTIONS[code](machine)
    return machine.stack.pop(), machine.at


_STOP = ord(".")


class _Machine:
    def __init__(self, data: Any, at: int, calls: Calls) -> None:
        self.data, self.at, self.calls = data, at, calls
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        found: bytes = self.data[self.at : self.at + count]
        if len(found) < count:
            raise ValueError("it ends early")
        self.at += count
        return found

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 300)
        if end < 0:
            raise ValueError("a name does not end")
        return self.take(end + 1 - self.at)[:-1].decode()

    def since_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.marks.pop()
        return found

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"a {kind.__name__} is expected")
        return self.stack[-1]


def _mark(m: _Machine) -> None:
    m.marks.append(m.stack)
    m.stack = []


def _append(m: _Machine) -> None:
    value = m.stack.pop()
    m.top(list).append(value)


def _appends(m: _Machine) -> None:
    values = m.since_mark()
    m.top(list).extend(values)


def _set_item(m: _Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    m.top(Pairs).put(key, value)


def _set_items(m: _Machine) -> None:
    items = m.since_mark()
    pairs = m.top(Pairs)
    for key, value in zip(items[::2], items[1::2], strict=True):
        pairs.put(key, value)


def _tuple(count: int) -> Callable[[_Machine], None]:
    def make(m: _Machine) -> None:
        found = tuple(m.stack[len(m.stack) - count :])
        if len(found) < count:
            raise ValueError("a tuple lacks its items")
        m.stack[len(m.stack) - count :] = [found]

    return make


def _name(m: _Machine) -> None:
    module, name = m.line(), m.line()
    m.stack.append(m.calls.name(module, name))


def _call(m: _Machine) -> None:
    arguments, function = m.stack.pop(), m.stack.pop()
    m.stack.append(m.calls.call(function, arguments))


def _build(m: _Machine) -> None:
    state = m.stack.pop()
    m.calls.build(m.stack[-1], state)


def _text(m: _Machine) -> None:
    m.stack.append(str(m.take(m.number("<I")), "utf-8", "surrogatepass"))


def _remember(code: str) -> Callable[[_Machine], None]:
    def put(m: _Machine) -> None:
        m.memo[m.number(code)] = m.stack[-1]

    return put


def _push(value: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def push(m: _Machine) -> None:
        found = value(m)  # before the stack is looked up, which a mark changes
        m.stack.append(found)

    return push


_INSTRUCTIONS: dict[int, Callable[[_Machine], None]] = {
    ord(code): action
    for code, action in {
        "\x80": lambda m: m.number("B") and None,
        "(": _mark,
        "N": _push(lambda m: None),
        "\x88": _push(lambda m: True),
        "\x89": _push(lambda m: False),
        "J": _push(lambda m: m.number("<i")),
        "K": _push(lambda m: m.number("B")),
        "M": _push(lambda m: m.number("<H")),
        "\x8a": _push(lambda m: int.from_bytes(m.take(m.number("B")), "little", signed=True)),
        "G": _push(lambda m: m.number(">d")),
        "X": _text,
        "U": _push(lambda m: m.take(m.number("B")).decode("ascii")),
        ")": _push(lambda m: ()),
        "]": _push(lambda m: []),
        "}": _push(lambda m: Pairs()),
        "t": _push(lambda m: tuple(m.since_mark())),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "a": _append,
        "e": _appends,
        "s": _set_item,
        "u": _set_items,
        "c": _name,
        "R": _call,
        "b": _build,
        "Q": _push(lambda m: m.calls.storage(m.stack.pop())),
        "q": _remember("B"),
        "r": _remember("<I"),
        "h": _push(lambda m: m.memo[m.number("B")]),
        "j": _push(lambda m: m.memo[m.number("<I")]),
    }.items()
}
