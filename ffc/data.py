"""Data sets, as arrays of 8-bit images. Every result names its data by `Dataset.title`."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ffc.errors import FFCError
from ffc.records import Record

_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Dataset:
    """`train`, `test` [images, height, width, channels] uint8; labels int32 or None (then `classes` is 0)."""

    name: str
    title: str
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    classes: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.train.shape[1:]

    def digest(self) -> str:
        """SHA-256 of the training and test images."""
        return hashlib.sha256(self.train.tobytes() + self.test.tobytes()).hexdigest()

    def to_record(self) -> Record:
        arrays = {"train": self.train, "test": self.test}
        if self.train_labels is not None:
            arrays |= {"train_labels": self.train_labels, "test_labels": self.test_labels}
        return Record(arrays, {"name": self.name, "title": self.title, "classes": self.classes})

    @classmethod
    def from_record(cls, record: Record) -> "Dataset":
        return cls(**record.meta, **record.arrays)


def load(name: str, root: str | Path | None = None, size: int | None = None, **options: Any) -> Dataset:
    """The data set `name`, its images resized to `size`×`size` (Pillow, box filter down, bilinear up) if given.

    `root` is where downloaded sets lie (else `FFC_DATA`, else `data`). Raises `FFCError` with what to put
    where if a set is missing.
    """
    if name not in DATASETS:
        raise FFCError(f"data set {name!r}: expected one of {', '.join(DATASETS)}")
    root = Path(root or os.environ.get("FFC_DATA") or "data")
    if name in _SIZED:
        options["size"] = size
    try:
        dataset = DATASETS[name](root, **options)
    except TypeError as error:
        raise FFCError(f"data set {name!r}: an option is missing or unknown ({error})") from None
    if size is None or size == dataset.shape[0] == dataset.shape[1]:
        return dataset
    train, test = (resize(images, size) for images in (dataset.train, dataset.test))
    title = f"{dataset.title}, resized to {size}×{size}"
    return Dataset(name, title, train, test, dataset.train_labels, dataset.test_labels, dataset.classes)


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 NHWC → the same at `size`×`size`."""
    method = Image.Resampling.BOX if size <= images.shape[1] else Image.Resampling.BILINEAR
    channels = images.shape[3]

    def one(image):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image).resize((size, size), method)
        return np.asarray(picture).reshape(size, size, channels)

    return np.stack([one(image) for image in images])


def _digits(root: Path) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], digits.target[order].astype(np.int32)
    cut = len(images) * 4 // 5
    return Dataset("digits", "scikit-learn digits", images[:cut], images[cut:], labels[:cut], labels[cut:], 10)


def _patches(root: Path, size: int | None) -> Dataset:
    """Colour patches on a grid; the lowest fifth of each photograph is held out for the test."""
    from sklearn.datasets import load_sample_images

    size = size or 8
    train, test = [], []
    for photograph in load_sample_images().images:
        cut = photograph.shape[0] * 4 // 5 // size * size
        train += _grid(photograph[:cut], size, step=max(1, size // 2))
        test += _grid(photograph[cut:], size, step=size)
    order = np.random.default_rng(0)
    train, test = (order.permutation(np.stack(patches)) for patches in (train, test))
    return Dataset("patches", f"{size}×{size} patches of scikit-learn's photographs", train, test)


def _grid(image: np.ndarray, size: int, step: int) -> list[np.ndarray]:
    rows, columns = range(0, image.shape[0] - size + 1, step), range(0, image.shape[1] - size + 1, step)
    return [image[r : r + size, c : c + size] for r in rows for c in columns]


def _torchvision(name: str, title: str, folder: str, download: bool) -> Callable[..., Dataset]:
    def read(root: Path) -> Dataset:
        import torchvision

        where = root / folder
        try:
            parts = [getattr(torchvision.datasets, name)(where, train=t, download=download) for t in (True, False)]
        except Exception as error:  # torchvision raises RuntimeError, URLError and more
            raise FFCError(
                f"{title} is not under {where}, and downloading it failed ({error}); put torchvision's files there,"
                " or name another folder as data_root in the configuration or in FFC_DATA"
            ) from None
        images = [np.asarray(part.data) for part in parts]
        images = [array[..., None] if array.ndim == 3 else array for array in images]
        labels = [np.asarray(part.targets, np.int32) for part in parts]
        return Dataset(name.lower(), title, *images, *labels, 10)

    return read


def _cifar10_jpeg(root: Path) -> Dataset:
    """The JPEG copy of CIFAR-10, from its archive or unpacked; not pixel-identical to CIFAR-10."""
    import io
    import tarfile

    folder, archive = root / "cifar10", root / "cifar10" / "cifar10-jpeg.tar.xz"
    if archive.exists():
        with tarfile.open(archive) as tar:  # read in memory: nothing is extracted, links are not followed
            files = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()}
    else:
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("t*/*/*.jpg")}
    parts = []
    for part in ("train", "test"):
        names = sorted(name for name in files if f"{part}/" in name and name.endswith(".jpg"))
        if not names:
            raise FFCError(f"cifar10-jpeg: put cifar10-jpeg.tar.xz, or its train/ and test/ folders, under {folder}")
        classes = sorted({name.split("/")[-2] for name in names})
        images = np.stack([np.asarray(Image.open(io.BytesIO(files[name])).convert("RGB")) for name in names])
        parts.append((images, np.array([classes.index(name.split("/")[-2]) for name in names], np.int32)))
    (train, train_labels), (test, test_labels) = parts
    return Dataset(
        "cifar10-jpeg", "cifar10-jpeg (CIFAR-10 as JPEG, quality 75)", train, test, train_labels, test_labels, 10
    )


def _image_folder(root: Path, path: str, size: int | None) -> Dataset:
    """Any folder of images, cropped to a centred square of `size`; every tenth is held out for the test."""
    if size is None:
        raise FFCError("image_folder: say the images' size, e.g. size: 32")
    pictures = np.stack([_centre(image, size) for image in _open_all(root, path)])
    test = np.arange(len(pictures)) % 10 == 9
    if not test.any():
        raise FFCError(f"image_folder: {path} holds {len(pictures)} images; at least 10 are needed")
    return Dataset("image_folder", f"images of {Path(path).name}, {size}×{size}", pictures[~test], pictures[test])


def _imagenet(root: Path, path: str = "imagenet", size: int = 224, limit: int | None = None) -> Dataset:
    """A folder of ImageNet images, cropped to a centred square; all of them are test images."""
    size = size or 224
    pictures = np.stack([_centre(image, size) for image in _open_all(root, path)[:limit]])
    return Dataset("imagenet", f"{len(pictures)} ImageNet images, {size}×{size}", pictures[:0], pictures)


def _open_all(root: Path, path: str) -> list[Image.Image]:
    folder = Path(path) if Path(path).is_absolute() else root / path
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _ENDINGS)
    if not files:
        raise FFCError(f"no images under {folder}; put JPEG or PNG files there, or name another folder")
    try:
        return [Image.open(file).convert("RGB") for file in files]
    except OSError as error:
        raise FFCError(f"{folder}: an image cannot be read ({error}); remove or replace it") from None


def _centre(image: Image.Image, size: int) -> np.ndarray:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


#: Readers by name: a function of the data root and the set's own options.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": _digits,
    "patches": _patches,
    "mnist": _torchvision("MNIST", "MNIST", "mnist", download=True),
    "cifar10": _torchvision("CIFAR10", "CIFAR-10", "cifar10", download=True),
    "cifar10-jpeg": _cifar10_jpeg,
    "image_folder": _image_folder,
    "imagenet": _imagenet,
}
_SIZED = {"patches", "image_folder", "imagenet"}
