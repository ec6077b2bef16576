"""NPZ files that are damaged, or whose archive says what is not so."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import (
    Rng,
    damaged,
    directory_entries,
    flipped,
    raw_zip,
    with_field,
    zeros_compressed,
    zip_of,
)
from ci.fuzzing.npz_files import Arrays, Made, members_of, npy


def anywhere(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.4 else zipfile.ZIP_STORED
    name, content = damaged(zip_of(members_of(arrays), packing), rng)
    return name, "same", content


def in_a_body(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    """A bit of the numbers themselves, which nothing but the checksum guards."""
    content = zip_of(members_of(arrays))
    name = str(rng.choice(list(arrays)))
    body = arrays[name].tobytes()
    begin = content.find(body[:256])
    return f"flip in the body of {name}", "refuse", flipped(content, begin, begin + len(body), rng)


def in_the_directory(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.4 else zipfile.ZIP_STORED
    content = zip_of(members_of(arrays), packing)
    begin = directory_entries(content)[0]
    return "flip in the directory", "same", flipped(content, begin, len(content), rng)


def field(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED
    content = zip_of(members_of(arrays), packing)
    values: dict[str, list[int]] = {
        "flags": [1, 0x41, 0x20, 0x2000],
        "method": [1, 6, 9, 12, 14, 93, 95, 97, 98, 99, 65535],
        "crc": [0, 0xFFFFFFFF, int(rng.integers(2**32))],
        "compressed size": [0, 1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(5000))],
        "size": [0, 1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(5000))],
        "header offset": [1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(len(content)))],
    }
    field = str(rng.choice(list(values)))
    value = int(rng.choice(values[field]))
    return f"{field} {value}", "same", with_field(content, int(rng.integers(len(arrays))), field, value)


def archive(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    members = members_of(arrays)
    at = int(rng.integers(len(members)))
    name, body = members[at]
    other = npy(np.zeros_like(arrays[name.removesuffix(".npy")]))
    made: dict[str, Callable[[], tuple[Any, bytes]]] = {
        "a member twice": lambda: ("refuse", zip_of([*members, (name, other)])),
        "a member twice, compressed": lambda: ("refuse", zip_of([(name, other), *members], zipfile.ZIP_DEFLATED)),
        "a NUL in a name": lambda: (
            "same",
            zip_of([*members[:at], (f"{name}X.npy", other), *members[at:]]).replace(
                f"{name}X".encode(), f"{name}\0".encode()
            ),
        ),
        "bz2": lambda: ("same", zip_of(members, zipfile.ZIP_BZIP2)),
        "LZMA": lambda: ("same", zip_of(members, zipfile.ZIP_LZMA)),
        "LZMA damaged": lambda: (
            "same",
            flipped(c := zip_of(members, zipfile.ZIP_LZMA), 40, directory_entries(c)[0], rng),
        ),
        "bz2 damaged": lambda: (
            "same",
            flipped(c := zip_of(members, zipfile.ZIP_BZIP2), 40, directory_entries(c)[0], rng),
        ),
        "a short body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body[: -int(rng.integers(1, 300))]), *members[at + 1 :]]),
        ),
        "a long body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body + rng.bytes(int(rng.integers(1, 300)))), *members[at + 1 :]]),
        ),
        "a short compressed body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body[:-8]), *members[at + 1 :]], zipfile.ZIP_DEFLATED),
        ),
        "a long compressed body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body + b"12345678"), *members[at + 1 :]], zipfile.ZIP_DEFLATED),
        ),
        "an empty member": lambda: ("refuse", zip_of([*members[:at], (name, b""), *members[at + 1 :]])),
        "names of 60,000 letters": lambda: ("same", zip_of([*members, ("x" * 60_000 + ".npy", body)])),
        "escapes in names": lambda: ("refuse", zip_of([("\x1b[2J\n\u202e.npy", body)])),
        "5,000 members": lambda: ("same", zip_of([*members, *((f"m{i}.npy", b"") for i in range(5000))])),
        "one of 100,000 names": lambda: ("refuse", zip_of([(f"m{i}", b"") for i in range(20_000)])),
        "a comment": lambda: ("same", zip_of(members)[:-2] + struct.pack("<H", 5) + b"PK\x05\x06!"),
        "two archives": lambda: ("same", zip_of([(name, other)]) + zip_of(members)),
        "no archive": lambda: ("refuse", rng.bytes(200)),
        "empty": lambda: ("refuse", b""),
    }
    kind = str(rng.choice(list(made)))
    expected, content = made[kind]()
    return kind, expected, content


def bomb(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    """A few kilobytes that unpack to a gigabyte and more, as numbers or as a header."""
    megabytes = int(rng.choice([600, 1500]))
    name = next(iter(arrays))
    if rng.random() < 0.5:
        head = b"\x93NUMPY\x02\x00" + struct.pack("<I", megabytes << 20)
        kind = "header"
    else:
        shape = (megabytes * 2048, 128)
        text = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
        kind = "body"
    packed, crc, size = zeros_compressed(megabytes, head)
    return f"a {kind} of {megabytes} MB in {len(packed) >> 10} KB", "refuse", raw_zip(f"{name}.npy", packed, crc, size)
