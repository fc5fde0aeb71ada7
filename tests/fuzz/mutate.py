"""Damage to sound files: of their bytes, and of what is inside, where checksums are mended."""

import copy
import json
import lzma
import random
import zipfile
from collections.abc import Callable
from typing import Any

import yaml
from sound import unzipped, zipped

Damage = Callable[[random.Random, bytes], bytes]

_EXTREMES = (0, 127, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_ODD = (
    *(None, True, 0, -1, 3, 255, 2**31, -(2**63), 1e308, 0.5, float("nan"), float("inf"), [], {}, [[1, 2], [3, 4]]),
    *("", "x", "../../x", "os:system", "object", "x" * 5000, "\0", "é", b"bytes", {"": 0}),
)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def raw(draw: random.Random, content: bytes) -> bytes:
    """Some of the bytes lost, changed, repeated or moved."""
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    end, width = min(b, a + draw.choice((1, 4, 30, 1000))), draw.choice((1, 2, 4, 8))
    head, near, tail = content[:a], content[a:end], content[end:]
    number = (draw.choice(_EXTREMES) % 256**width).to_bytes(width, draw.choice(("little", "big")))
    flipped = bytes(byte ^ 1 << draw.randrange(8) for byte in near)
    pieces = (b"", flipped, bytes(len(near)), draw.randbytes(len(near)), near * draw.choice((2, 20)))
    moved = (head, head + number + content[a + width :], content[b:] + content[:b], content + content[a:])
    return draw.choice((*moved, head[:20] + draw.randbytes(b), *(head + piece + tail for piece in pieces)))


def tree(draw: random.Random, root: Any) -> Any:
    """A tree of dictionaries and lists in which a node is lost, renamed, replaced or wrapped."""
    root = copy.deepcopy(root)
    places = list(_places(root))
    (node, key), (other, where), kind = draw.choice(places), draw.choice(places), draw.randrange(5)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[draw.choice((where, 1, "sede", b"raw"))] = node.pop(key)
    elif kind == 2:
        node[key] = copy.deepcopy(other[where])
    elif kind == 3:
        for _ in range(draw.choice((1, 30, 300))):
            node[key] = {"x": node[key]} if draw.random() < 0.5 else [node[key]]
    else:
        node[key] = draw.choice(_ODD)
    return root


def _places(node: Any):
    """(container, key) of every node below."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield node, key
        yield from _places(child)


def as_yaml(draw: random.Random, content: bytes) -> bytes:
    return yaml.dump(tree(draw, yaml.safe_load(content)), sort_keys=False).encode("utf-8", "surrogatepass")


def as_json(draw: random.Random, content: bytes) -> bytes:
    return json.dumps(tree(draw, json.loads(content)), default=str, skipkeys=True).encode()


def in_zip(draw: random.Random, content: bytes) -> bytes:
    """A zip file with other members or with damaged ones, packed in any way, or another directory."""
    members, kind = unzipped(content), draw.randrange(8)
    name = draw.choice(list(members))
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[draw.choice(("../" + name, "/" + name, "\1", name + "/", "x/" + name))] = members.pop(name)
    elif kind > 2:
        members[name] = raw(draw, members[name])
    file = zipped(members, draw.choice(_PACKINGS))
    directory = file.find(b"PK\1\2")
    return file[:directory] + raw(draw, file[directory:]) if kind == 2 else file


def in_xz(draw: random.Random, content: bytes) -> bytes:
    """What is inside a file that xz packed, damaged, with sound checksums around it."""
    return lzma.compress(raw(draw, lzma.decompress(content)))
