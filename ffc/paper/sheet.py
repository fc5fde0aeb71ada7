"""Pictures of a batch, laid out beside each other."""

import numpy as np


def sheet(pictures: np.ndarray, scale: int = 1, gap: int = 0, between: int = 255) -> np.ndarray:
    """`pictures` [batch, height, width, channels] uint8 as one [H, W, channels], near to square, row by row.

    A pixel becomes `scale` × `scale`, with `gap` pixels of the gray level `between` from picture to picture. Places
    that are left over are black.
    """
    batch, height, width, channels = pictures.shape
    columns = int(np.ceil(np.sqrt(batch)))
    rows = -(-batch // columns)
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:batch] = pictures
    large = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    framed = np.pad(large, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=between)
    _, tall, wide, _ = framed.shape
    whole = framed.reshape(rows, columns, tall, wide, channels).swapaxes(1, 2)
    return whole.reshape(rows * tall, columns * wide, channels)[: rows * tall - gap, : columns * wide - gap]
