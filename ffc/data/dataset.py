"""`Dataset`: images and labels under their true name, in memory and as a record."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ffc.errors import FFCError
from ffc.records import Record

#: [count, height, width, channels] uint8; or a tuple of [height, width, channels] where sizes differ.
Images = np.ndarray | tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Dataset:
    """Images for training and for testing, disjoint. Labels are [count] int32, or None where there are none."""

    name: str  #: as in `ffc.data.DATASETS`
    title: str  #: what figures and tables print
    train: Images
    test: Images
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    classes: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image. Raises `FFCError` where they differ in size."""
        if not isinstance(self.test, np.ndarray):
            raise FFCError(f"data set {self.name!r}: its images differ in size; name a size (size: 224, say)")
        return self.test.shape[1:]

    def sha256(self) -> str:
        """SHA-256 of all images and labels: what a training run was fed with."""
        digest = hashlib.sha256()
        for name, array in sorted(self.to_record().arrays.items()):
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def to_record(self) -> Record:
        """The record that the data rule writes; images of unequal size lie end to end."""
        arrays = _pack("train", self.train) | _pack("test", self.test)
        labels = {"train_labels": self.train_labels, "test_labels": self.test_labels}
        arrays |= {name: value for name, value in labels.items() if value is not None}
        return Record(arrays, {"name": self.name, "title": self.title, "classes": self.classes})

    @classmethod
    def from_record(cls, record: Record) -> "Dataset":
        """What `to_record` was called on. Raises `FFCError` if the record holds something else."""
        try:
            facts: dict[str, Any] = {key: record.meta[key] for key in ("name", "title", "classes")}
            facts |= {part: _unpack(part, record.arrays) for part in ("train", "test")}
            facts |= {part: record.arrays.get(part) for part in ("train_labels", "test_labels")}
            return cls(**facts)
        except KeyError as error:
            raise FFCError(
                f"not a record of a data set: it has no {error}; expected one that the data rule wrote"
            ) from None


def _pack(part: str, images: Images) -> dict[str, np.ndarray]:
    if isinstance(images, np.ndarray):
        return {part: images}
    pixels = [image.ravel() for image in images]
    shapes = np.array([image.shape for image in images], np.int32).reshape(-1, 3)
    return {part: np.concatenate([np.zeros(0, np.uint8), *pixels]), f"{part}_shapes": shapes}


def _unpack(part: str, arrays: dict[str, np.ndarray]) -> Images:
    if f"{part}_shapes" not in arrays:
        return arrays[part]
    shapes = arrays[f"{part}_shapes"]
    ends = np.cumsum(shapes.prod(axis=1), dtype=np.int64)
    pixels = np.split(arrays[part], ends)[:-1]  # what follows the last end is empty
    return tuple(values.reshape(shape) for values, shape in zip(pixels, shapes, strict=True))
