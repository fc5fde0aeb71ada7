"""Damage that knows a binary format: PNG, IDX, pickles."""

import pickle
import random
import struct
import zlib

from .mutate import EXTREMES, RunsCode, raw


def as_png(draw: random.Random, content: bytes) -> bytes:
    """A chunk with other content and a sound checksum: the header with its sizes more often than not."""
    chunks, at = [], 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    which = 0 if draw.random() < 0.6 else draw.randrange(len(chunks))
    kind, data = chunks[which]
    chunks[which] = (kind, raw(draw, data)) if data else (b"tEXt", b"x")
    if draw.random() < 0.3:
        chunks.insert(draw.randrange(len(chunks)), chunks[draw.randrange(len(chunks))])
    body = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return content[:8] + b"".join(body)


def as_idx(draw: random.Random, content: bytes) -> bytes:
    """Another type, number of axes, or length in the header of an IDX file."""
    data = bytearray(content)
    at = 4 * draw.randrange(1 + data[3])
    value = draw.choice((*EXTREMES, 0x803, 0x801, 0x800, 0x80F, 0xD03, 0x804, 28, 27, 5)) % 2**32
    data[at : at + 4] = value.to_bytes(4, "big")
    return bytes(data) if draw.random() < 0.8 else raw(draw, bytes(data))


def as_pickle(draw: random.Random, content: bytes) -> bytes:
    """The program of a pickle: other opcodes, other names, or one that runs code."""
    if draw.random() < 0.1:
        return pickle.dumps(draw.choice((RunsCode(), {"x": RunsCode()}, [1], {"x": 1}, {1: 2}, None)), protocol=2)
    if draw.random() < 0.4:
        for old, new in ((b"FloatStorage", b"DoubleStorage"), (b"FloatStorage", b"ByteStorage"), (b"cpu", b"meta")):
            if draw.random() < 0.5:
                content = content.replace(old, new)
        return content
    return raw(draw, content)
