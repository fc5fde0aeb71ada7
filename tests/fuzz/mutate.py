"""Malformed files from a sound one: damage of its bytes, and damage that knows the format and mends the checksums."""

import copy
import functools
import gzip
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import yaml
from msgpack import ExtType, packb, unpackb

CANARY = "code-of-a-file-was-run"
Mutation = Callable[[random.Random, bytes], bytes]

EXTREMES = (0, 1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_ODD = (
    *(None, True, False, 0, 1, -1, 3, 255, 2**31, 2**63, -(2**63), 1e308, 0.5, float("nan"), float("inf")),
    *("", "x", "../../x", "os:system", "x" * 5000, "\0", "é", b"bytes", [], {}, [0], {"": 0}, [[1, 2], [3, 4]]),
)


class RunsCode:
    """Unpickled by a careless reader, it makes the folder `CANARY`."""

    def __reduce__(self):
        import os

        return os.mkdir, (CANARY,)


def raw(draw: random.Random, content: bytes) -> bytes:
    """Some of the bytes changed, lost, repeated or moved."""
    data, kind = bytearray(content), draw.randrange(9)
    a, b = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    near = slice(a, min(b, a + draw.choice((1, 4, 30, 1000))))
    if kind == 0:
        return content[:a]
    if kind == 1:
        for _ in range(draw.choice((1, 1, 2, 8))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind == 2:
        data[near] = draw.randbytes(near.stop - near.start)
    elif kind == 3:
        data[near] = bytes([draw.choice((0, 255, 10, 32))]) * (near.stop - near.start)
    elif kind == 4:
        del data[near]
    elif kind == 5:
        data[b:b] = data[near] * draw.choice((1, 2, 20))
    elif kind == 6:
        width, order = draw.choice((1, 2, 4, 8)), draw.choice(("little", "big"))
        data[a : a + width] = (draw.choice(EXTREMES) % 256**width).to_bytes(width, order)
    elif kind == 7:
        data[a:b], data[b:] = data[b:], data[a:b]
    else:
        return content + content[a:] if draw.random() < 0.5 else content[: draw.randrange(20)] + draw.randbytes(b)
    return bytes(data)


def tree(draw: random.Random, root: Any) -> Any:
    """A node of a tree of dictionaries and lists replaced, lost, renamed, doubled, or exchanged with another."""
    root = copy.deepcopy(root)
    places = list(_places(root))
    if not places:
        return draw.choice(_ODD)
    node, key = draw.choice(places)
    kind = draw.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[draw.choice((*(key for _, key in places), 1, None, "sede", b"raw"))] = node.pop(key)
    elif kind == 2:
        other, where = draw.choice(places)
        node[key], other[where] = copy.deepcopy(other[where]), copy.deepcopy(node[key])
    elif kind == 3:
        for _ in range(draw.choice((1, 30, 300))):
            node[key] = {"x": node[key]} if draw.random() < 0.5 else [node[key]]
    elif kind == 4 and isinstance(node[key], (int, float)):
        node[key] = node[key] * draw.choice((-1, 2, 1e3, 10**9, 0))
    else:
        node[key] = draw.choice(_ODD)
    return root


def _places(node: Any):
    """(container, key) of every node below."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in list(items):
        yield node, key
        yield from _places(child)


@functools.cache
def _from_yaml(content: bytes) -> Any:
    return yaml.safe_load(content)


def as_yaml(draw: random.Random, content: bytes) -> bytes:
    if draw.random() < 0.6:
        text = yaml.dump(tree(draw, _from_yaml(content)), allow_unicode=True, sort_keys=False)
        return text.encode("utf-8", "surrogatepass")
    lines = content.decode().splitlines()
    at = draw.randrange(len(lines))
    laughs = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, draw.choice((3, 12, 40))))
    odd = (
        f"x: !!python/object/apply:os.mkdir [{CANARY}]",
        f"x: !!python/object/new:os.mkdir\n  args: [{CANARY}]",
        "l0: &l0 [lol]\n" + laughs,
        "x: &x {y: *x}",
        "x: &x [*x, *x]",
        "? [a, b]\n: c",
        "1: 2",
        f"seed: {'9' * draw.choice((20, 5000))}",
        f"seed: {draw.choice(('.nan', '-.inf', '1.0e+999', '0x', '1:99:99', '2001-99-99', '!!int x', '!!float y'))}",
        "title: !!binary '*'",
        "title: !!timestamp x",
        "title: " + draw.choice("[{") * draw.choice((10, 3000)),
        f"{lines[at]}\n{lines[at]}",
        "<<: {seed: 3}",
        "<<: [1]",
        "\t",
        "%YAML 9.9\n---",
        "---\na: b",
        "! ",
        "title: |\n  x",
    )
    indent = " " * draw.choice((0, 0, 2, 4))
    lines[at : at + draw.randrange(2)] = (indent + draw.choice(odd)).split("\n")
    return "\n".join(lines).encode()


def as_json(draw: random.Random, content: bytes) -> bytes:
    changed = tree(draw, json.loads(content))
    text = json.dumps(changed, default=str, skipkeys=True)
    return (draw.choice(("[", '{"x":')) * 10_000 if draw.random() < 0.02 else text).encode()


def as_msgpack(draw: random.Random, content: bytes) -> bytes:
    """A Flax tree with another shape, type or length of an array, or other nodes."""
    root = unpackb(content, ext_hook=ExtType, strict_map_key=False)
    leaves = [(node, key) for node, key in _places(root) if isinstance(node[key], ExtType)]
    if draw.random() < 0.3 or not leaves:
        root = tree(draw, root)
    else:
        node, key = draw.choice(leaves)
        shape, dtype, numbers = unpackb(node[key].data)
        shape, dtype, numbers = _array(draw, list(shape), dtype, numbers, ("bfloat16", "object", "V8", "str", "int8"))
        code = draw.choice((1, 1, 1, 1, 2, 3, 9))
        node[key] = ExtType(code, packb(draw.choice(((shape, dtype, numbers), (shape, dtype), numbers))))
    return packb(root, default=str)


def _array(draw: random.Random, shape: list, dtype: Any, numbers: bytes, dtypes: tuple) -> tuple:
    """An array that claims more, fewer or other numbers than it has, or has numbers that are none."""
    kind = draw.randrange(6)
    if kind == 0 and shape:
        shape[draw.randrange(len(shape))] = draw.choice((0, -1, 1, 2**31, 2**62, 10**9, "x", 1.5))
    elif kind == 1:
        shape = draw.choice(([], [2**62], [2**32, 2**32], [1] * 40, [-1, 1], shape[::-1], [*shape, 1]))
    elif kind == 2:
        dtype = draw.choice(dtypes)
    elif kind == 3:
        numbers = struct.pack("<f", draw.choice((float("nan"), float("inf"), -0.0, 1e-40))) * (len(numbers) // 4)
    elif kind == 4:
        numbers = numbers[: draw.randrange(len(numbers) + 1)]
    else:
        numbers = raw(draw, numbers) if numbers else b"x"
    return shape, dtype, numbers


def as_npy(draw: random.Random, content: bytes) -> bytes:
    """An array of numpy's with another header, or other numbers."""
    if content[:6] != b"\x93NUMPY" or draw.random() < 0.1:
        return raw(draw, content) if content else b"x"
    length = 10 + int.from_bytes(content[8:10], "little")
    header = eval(content[10:length])
    odd = (
        "|O",
        "<f8",
        "<f2",
        ">f4",
        "<c8",
        "<U9999",
        "|V0",
        "<M8[s]",
        [("a", "<f4"), ("b", "|O")],
        "|S0",
        "x",
        None,
        3,
    )
    shape, descr, numbers = _array(draw, list(header["shape"]), header["descr"], content[length:], odd)
    header |= {"shape": tuple(shape), "descr": descr}
    if draw.random() < 0.1:
        header["fortran_order"] = draw.choice((True, 1, None))
    if draw.random() < 0.1:
        numbers = pickle.dumps(RunsCode())
    text = repr(header) if draw.random() < 0.95 else draw.choice(("(" * 90, "1" * 9000, "{}", "__import__('os')"))
    text = text.encode("latin1", "replace") + b"\n"
    size = len(text) if draw.random() < 0.95 else draw.choice((0, 65535))
    return content[:6] + bytes([draw.choice((1, 1, 1, 1, 2, 9)), 0]) + struct.pack("<H", size) + text + numbers


def in_zip(member: Mutation, compression: int = zipfile.ZIP_DEFLATED) -> Mutation:
    """A zip file with other members, or other claims about them; sound checksums."""

    def mutate(draw: random.Random, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = [(info.filename, file.read(info)) for info in file.infolist()]
        at, kind = draw.randrange(len(members)), draw.randrange(8)
        name, data = members[at]
        if kind < 5:
            members[at] = name, member(draw, data)
        elif kind == 5:
            members[at] = draw.choice(("../" + name, "/" + name, "x", "\1", name + "/", "x/" + name)), data
        elif kind == 6:
            del members[at]
        file = io.BytesIO()
        packing = draw.choice((compression, compression, compression, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(file, "w", packing) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return _misclaimed(draw, file.getvalue()) if kind == 7 else file.getvalue()

    return mutate


def _misclaimed(draw: random.Random, content: bytes) -> bytes:
    """A field of a zip's directory (flags, packing, checksum, sizes, lengths, place …) with an extreme value."""
    data, begins = bytearray(content), []
    at = content.find(b"PK\1\2")
    while at >= 0:
        begins.append(at)
        at = content.find(b"PK\1\2", at + 1)
    offset, width = draw.choice(((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (38, 4), (42, 4)))
    at = draw.choice(begins) + offset
    data[at : at + width] = (draw.choice(EXTREMES) % 256**width).to_bytes(width, "little")
    return bytes(data)


def as_tar(draw: random.Random, content: bytes) -> bytes:
    """A tar archive with a header that says something else, and a sound checksum."""
    data = bytearray(content)
    headers = [at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"]
    at = draw.choice(headers)
    kind = draw.randrange(4)
    if kind == 0:
        size = draw.choice((0, 1, 2**20 + 1, 2**33 - 1))
        data[at + 124 : at + 136] = b"%011o\0" % size if draw.random() < 0.7 else b"\xff" * 12
    elif kind == 1:
        data[at + 156] = draw.choice(b"0123456789LKxgXSDVM\0")
        data[at + 157 : at + 168] = b"/etc/passwd"
    elif kind == 2:
        name = draw.choice((b"../../escape", b"/tmp/escape", b"\xff\xfe", b"", b"a/" * 49))
        data[at : at + 100] = name.ljust(100, b"\0")
    else:
        where = at + draw.randrange(512)
        data[where] = draw.randrange(256)
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


def packed(inner: Mutation, module: Any = gzip) -> Mutation:
    """What is inside a file that gzip or xz packed."""
    options = {"mtime": 0} if module is gzip else {}
    return lambda draw, content: module.compress(inner(draw, module.decompress(content)), **options)
