"""`Dataset`: images and labels under their true name, in memory and as a record."""

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ffc.core.errors import FFCError
from ffc.store.records import Record

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
        """Return the record that the data rule writes; images of unequal size lie end to end."""
        arrays = _pack("train", self.train) | _pack("test", self.test)
        labels = {"train_labels": self.train_labels, "test_labels": self.test_labels}
        arrays |= {name: value for name, value in labels.items() if value is not None}
        return Record(arrays, {"name": self.name, "title": self.title, "classes": self.classes})

    @classmethod
    def from_record(cls, record: Record) -> "Dataset":
        """Return what `to_record` was called on. Raises `FFCError` if the record holds something else."""
        try:
            facts: dict[str, Any] = {key: record.meta[key] for key in ("name", "title", "classes")}
            facts |= {part: _unpack(part, record.arrays) for part in ("train", "test")}
            facts |= {part: record.arrays.get(part) for part in ("train_labels", "test_labels")}
            data = cls(**facts)
            data._check()
            return data
        except (KeyError, ValueError) as error:
            fact = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise FFCError(f"not a record of a data set: {fact}; expected one that the data rule wrote") from None

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Dataset":
        """Read what the data rule wrote. Raises `FFCError`, naming the file, on anything else."""
        record = Record.load(path)
        try:
            return cls.from_record(record)
        except FFCError as error:
            raise FFCError(f"{path}: {error}") from None

    def _check(self) -> None:
        """`ValueError` where a field is not what it is called."""
        if not (isinstance(self.name, str) and isinstance(self.title, str) and isinstance(self.classes, int | None)):
            raise ValueError("its name, title or classes are not such")
        for part in ("train", "test"):
            images, labels = getattr(self, part), getattr(self, f"{part}_labels")
            array = isinstance(images, np.ndarray)
            if (array and images.ndim != 4) or any(image.dtype != np.uint8 for image in images):
                raise ValueError(f"{part} holds no images [height, width, channels] of uint8")
            if labels is not None and (labels.dtype != np.int32 or labels.shape != (len(images),)):
                raise ValueError(f"{part}_labels holds not one int32 for each image")


def _pack(part: str, images: Images) -> dict[str, np.ndarray]:
    if isinstance(images, np.ndarray):
        return {part: images}
    pixels = [image.ravel() for image in images]
    shapes = np.array([image.shape for image in images], np.int32).reshape(-1, 3)
    return {part: np.concatenate([np.zeros(0, np.uint8), *pixels]), f"{part}_shapes": shapes}


def _unpack(part: str, arrays: dict[str, np.ndarray]) -> Images:
    if f"{part}_shapes" not in arrays:
        return arrays[part]
    shapes, flat = arrays[f"{part}_shapes"], arrays[part]
    if shapes.dtype != np.int32 or shapes.ndim != 2 or shapes.shape[1] != 3 or (shapes < 0).any() or flat.ndim != 1:
        raise ValueError(f"{part}_shapes holds no (height, width, channels)")
    ends = np.cumsum(shapes.astype(object).prod(axis=1))
    if (ends[-1] if len(ends) else 0) != len(flat):
        raise ValueError(f"{part}_shapes are not those of its pixels")
    pixels = np.split(flat, ends.astype(np.int64))[:-1]  # what follows the last end is empty
    return tuple(values.reshape(shape) for values, shape in zip(pixels, shapes, strict=True))
