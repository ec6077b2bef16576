"""Pickle programs that no `torch.save` writes: small, and meant to cost memory or time, or to run something."""

import struct
from collections.abc import Callable
from pathlib import Path

PLACEHOLDER = "the-program-stands-here"
# What torch.save writes too.
HARMLESS = ("a dictionary with attributes", "a new size")


def put(number: int) -> bytes:
    """Remember the top of the stack."""
    return b"r" + struct.pack("<I", 1_000_000 + number)


def get(number: int) -> bytes:
    """Push what was remembered."""
    return b"j" + struct.pack("<I", 1_000_000 + number)


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def integer(value: int) -> bytes:
    encoded = value.to_bytes(max(1, (value.bit_length() + 8) // 8), "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def new(module: str, name: str, *arguments: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"t\x81"


def storage(kind: str = "FloatStorage", key: str = "0", location: str = "cpu", numel: int = 1) -> bytes:
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text(location) + integer(numel) + b"tQ"


def tuple_of(*numbers: int) -> bytes:
    return b"(" + b"".join(integer(number) for number in numbers) + b"t"


def view(of: bytes, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    hooks = call("collections", "OrderedDict")
    return call(
        "torch._utils", "_rebuild_tensor_v2", of, integer(offset), tuple_of(*size), tuple_of(*stride), b"\x89", hooks
    )


def doubled(levels: int, width: int = 2) -> bytes:
    """Lists of lists, each held ``width`` times by the next: 2**levels items once they are written out."""
    made = b"](" + b"](" + text("x") + b"e" + put(0)
    for level in range(1, levels):
        made += b"](" + get(level - 1) * width + b"e" + put(level)
    return made + b"e"


def doubled_key(levels: int) -> bytes:
    """A dictionary whose key is tuples of tuples: finding its place visits 2**levels of them."""
    made = b"](" + text("x") + b"\x85" + put(0)
    for level in range(1, levels):
        made += get(level - 1) * 2 + b"\x86" + put(level)
    return made + b"}" + get(levels - 1) + b"Nse"


PROGRAMS: dict[str, Callable[[Path], bytes]] = {
    "lists that double 30 times": lambda m: doubled(30),
    "lists that grow tenfold 9 times": lambda m: doubled(9, 10),
    "lists that double 200 times": lambda m: doubled(200),
    "a key that doubles 30 times": lambda m: doubled_key(30),
    "a key that doubles 24 times": lambda m: doubled_key(24),
    "a list in itself": lambda m: b"]" + put(0) + get(0) + b"a",
    "a dictionary in itself": lambda m: b"}" + put(0) + text("x") + get(0) + b"s",
    "lists in each other": lambda m: b"]" + put(0) + b"]" + get(0) + b"aa",
    "2,000 deep": lambda m: b"]" * 2_000 + b"a" * 1_999,
    "100,000 deep": lambda m: b"]" * 100_000 + b"a" * 99_999,
    "tuples 100,000 deep": lambda m: b")" + b"\x85" * 100_000,
    "bytes of 4 GB": lambda m: call("builtins", "bytearray", integer(4 * 10**9)),
    "bytes of 4 GB, python 2": lambda m: call("__builtin__", "bytearray", integer(4 * 10**9)),
    "a tensor of 4 GB": lambda m: call("torch", "Tensor", integer(10**9)),
    "a new tensor of 4 GB": lambda m: new("torch", "Tensor", integer(10**9)),
    "doubles of 8 GB": lambda m: call("torch", "DoubleTensor", integer(10**9)),
    "storage of 4 GB": lambda m: call("torch", "FloatStorage", integer(10**9)),
    "bytes without type of 4 GB": lambda m: call("torch.storage", "UntypedStorage", integer(4 * 10**9)),
    "a new size": lambda m: call("torch", "Size", tuple_of(2**62, 2**62)),
    "a device": lambda m: call("torch", "device", text("cuda:" + "9" * 5000)),
    "a codec of quadratic time": lambda m: call("_codecs", "encode", text("a" * 100_000), text("idna")),
    "punycode": lambda m: call("_codecs", "encode", text("é" * 50_000), text("punycode")),
    "a codec that imports": lambda m: call("_codecs", "encode", text("a"), text("os")),
    "a counter": lambda m: call("collections", "Counter", text("ab" * 100_000)),
    "a set": lambda m: call("builtins", "set", doubled(18)),
    "a complex number": lambda m: call("builtins", "complex", text("1" * 100_000)),
    "an ordered dictionary of a generator": lambda m: call("collections", "OrderedDict", doubled(18)),
    "a dictionary with attributes": lambda m: call("collections", "OrderedDict") + b"}" + text("x" * 1000) + b"Nsb",
    "a meta tensor": lambda m: call(
        "torch._utils", "_rebuild_meta_tensor_no_storage", b"ctorch\nfloat32\n", tuple_of(10**12), tuple_of(1), b"\x89"
    ),
    "a sparse tensor": lambda m: call(
        "torch._utils",
        "_rebuild_sparse_tensor",
        b"ctorch\nsparse_coo\n",
        b"((" + view(storage(numel=1), 0, (1, 1), (1, 1)) + b"t" + tuple_of(10**9) + b"t",
    ),
    "a view of 16 GB": lambda m: view(storage(numel=1), 0, (2**16, 2**16), (0, 0)),
    "a view past the end": lambda m: view(storage(numel=16), 0, (10**9,), (1,)),
    "a view before the beginning": lambda m: view(storage(numel=16), -4, (4,), (1,)),
    "a view backwards": lambda m: view(storage(numel=16), 8, (4,), (-1,)),
    "a view of no size": lambda m: view(storage(numel=16), 0, (-1,), (1,)),
    "a view of 2**80": lambda m: view(storage(numel=16), 0, (2**40, 2**40), (1, 1)),
    "a storage longer than its record": lambda m: view(storage(numel=2**33), 0, (1,), (1,)),
    "a storage that is not there": lambda m: view(storage(key="999"), 0, (1,), (1,)),
    "a storage elsewhere": lambda m: view(storage(key="../../x"), 0, (1,), (1,)),
    "a storage on meta": lambda m: view(storage(location="meta"), 0, (1,), (1,)),
    "a storage of a negative size": lambda m: view(storage(numel=-1), 0, (1,), (1,)),
    "a storage of text": lambda m: b"(" + text("storage") + text("x") * 4 + b"tQ",
    "a module": lambda m: b"(" + text("module") + text("x") * 4 + b"tQ",
    "a persistent number": lambda m: b"K\x01Q",
    "system": lambda m: call("os", "mkdir", text(str(m))),
    "posix": lambda m: call("posix", "mkdir", text(str(m))),
    "eval": lambda m: call("builtins", "eval", text(f"__import__('os').mkdir({str(m)!r})")),
    "getattr": lambda m: call("builtins", "getattr", b"cos\nmkdir\n", text("__call__")),
    "torch.hub": lambda m: call("torch.hub", "load", text("a/b"), text("c")),
    "torch.load": lambda m: call("torch", "load", text(str(m))),
    "an operator": lambda m: call("operator", "pow", integer(10), integer(10**9)),
    "a dotted name": lambda m: call("torch", "os.mkdir", text(str(m))),
    "rebuild by type": lambda m: call(
        "torch._tensor", "_rebuild_from_type_v2", b"cos\nmkdir\n", b"ctorch\nTensor\n", b"(" + text(str(m)) + b"t", b"}"
    ),
    "a subclass": lambda m: call(
        "torch._utils",
        "_rebuild_wrapper_subclass",
        b"ctorch\nTensor\n",
        b"ctorch\nfloat32\n",
        tuple_of(10**9),
        tuple_of(1),
        integer(0),
        b"N",
        b"ctorch\nTensor\n",
        b"\x89",
    ),
    "no end": lambda m: b"]" * 5 + b"(" * 5,
    "a wrong instruction": lambda m: b"\xfe",
    "pop": lambda m: b"00000000",
    "stop": lambda m: b".",
    "a text of 4 GB": lambda m: b"X\xff\xff\xff\xff",
    "a frame of 2**60 bytes": lambda m: b"\x95" + struct.pack("<Q", 2**60),
    "protocol 4": lambda m: b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93" + text(str(m)) + b"\x85R",
    "forgotten memory": lambda m: b"j\xff\xff\xff\xff",
    "a number of numpy of 4 GB": lambda m: call("numpy", "dtype", text("V4000000000"), b"\x89", b"\x88"),
    "a number of numpy of objects": lambda m: call(
        "numpy.core.multiarray",
        "scalar",
        call("numpy", "dtype", text("O8"), b"\x89", b"\x88"),
        call("_codecs", "encode", text("abcdefgh"), text("latin1")),
    ),
    "an array of numpy": lambda m: call(
        "numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\n", tuple_of(10**10), text("b")
    ),
}
