"""`Dataset`: images and labels under their true name, in memory and as a record."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

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
        """A hash of all images and labels: what a training run was fed with."""
        digest = hashlib.sha256()
        for name, array in sorted(to_record(self).arrays.items()):
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()


def to_record(dataset: Dataset) -> Record:
    """The data set as the record that the data rule writes; images of unequal size lie end to end."""
    arrays = _pack("train", dataset.train) | _pack("test", dataset.test)
    labels = {"train_labels": dataset.train_labels, "test_labels": dataset.test_labels}
    arrays |= {name: value for name, value in labels.items() if value is not None}
    return Record(arrays, {"name": dataset.name, "title": dataset.title, "classes": dataset.classes})


def from_record(record: Record) -> Dataset:
    """What `to_record` was given. Raises `FFCError` if the record holds something else."""
    try:
        return Dataset(
            **{key: record.meta[key] for key in ("name", "title", "classes")},
            **{part: _unpack(part, record.arrays) for part in ("train", "test")},
            **{part: record.arrays.get(part) for part in ("train_labels", "test_labels")},
        )
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
    shapes: Sequence[np.ndarray] = arrays[f"{part}_shapes"]
    ends = np.cumsum([shape.prod() for shape in shapes], dtype=np.int64)[:-1]
    return (
        tuple(pixels.reshape(shape) for pixels, shape in zip(np.split(arrays[part], ends), shapes, strict=True))
        if len(shapes)
        else ()
    )
