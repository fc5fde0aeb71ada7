"""Where each data set comes from: one function a set, `(root, size, **options) -> Dataset`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ffc.core.errors import FFCError, need
from ffc.data.dataset import Dataset
from ffc.data.images import archive_pictures, decode, folder_pictures, resize
from ffc.data.text import text
from ffc.store.paths import expanded

#: What figures call a data set of known images.
TITLES = {"digits": "scikit-learn digits", "mnist": "MNIST", "cifar10": "CIFAR-10", "cifar10-jpeg": "CIFAR-10 (JPEG)"}
#: How many rows images have without a size.
ROWS = {"digits": 8, "patches": 8, "mnist": 28, "cifar10": 32, "cifar10-jpeg": 32}
_TEST_SHARE = 5  # every fifth image, strip or so is for testing
_STRIPS = 10  # vertical strips of a photograph
#: Names of folders, of which two say that pictures are split already.
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}


def rows(name: str, size: int | None = None) -> int | None:
    """How many rows the images of a data set have, as far as is known without reading it."""
    return size or ROWS.get(name)


def title(name: str, size: int | None = None) -> str:
    """Return what figures call a data set; its name where that is all that is known without reading it."""
    if name not in TITLES:
        return name
    size = size or ROWS[name]
    return f"{TITLES[name]} {'' if size == ROWS[name] else 'resized to '}{size}×{size}"


def digits(root: Path, size: int | None) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8 × 8 gray in 16 levels; needs no files."""
    need("sklearn", extra="training")
    from sklearn.datasets import load_digits

    source = load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)[..., None]
    return _split("digits", title("digits", size), resize(images, size), source.target.astype(np.int32), 10)


def patches(root: Path, size: int | None, stride: int | None = None) -> Dataset:
    """`size` × `size` colour patches (8 × 8 by default) of scikit-learn's two photographs; needs no files.

    Each photograph is cut into ten vertical strips, of which two are for testing, so that no pixel
    serves both. Training patches lie `stride` pixels apart (half a patch by default), test patches side
    by side.
    """
    need("sklearn", extra="training")
    from sklearn.datasets import load_sample_images

    size = size or ROWS["patches"]
    photographs = load_sample_images().images
    widest = min(photo.shape[1] for photo in photographs) // _STRIPS
    if size > widest:
        raise FFCError(f"data set 'patches', size: expected at most {widest} pixels, not {size}")
    stride = max(1, size // 2) if stride is None else _positive("patches", "stride", stride)
    strips = [strip for photo in photographs for strip in np.array_split(photo, _STRIPS, axis=1)]
    last = _TEST_SHARE - 1
    train = [_windows(strip, size, stride) for i, strip in enumerate(strips) if i % _TEST_SHARE != last]
    test = [_windows(strip, size, size) for i, strip in enumerate(strips) if i % _TEST_SHARE == last]
    train_images, test_images = (_shuffle(np.concatenate(part))[0] for part in (train, test))
    title = f"{size}×{size} patches of scikit-learn's photographs"
    return Dataset("patches", title, train_images, test_images)


def mnist(root: Path, size: int | None, download: bool = False) -> Dataset:
    """MNIST, 28 × 28 gray, as torchvision keeps it: `mnist/MNIST/raw/` under the root."""
    need("torchvision", extra="paper")
    from torchvision.datasets import MNIST

    folder = root / "mnist"
    parts = _torchvision(MNIST, folder, download, "mnist", "the four IDX files in MNIST/raw/")
    for part in parts:
        images, labels = part.data, part.targets
        if images.shape[1:] != (28, 28) or len(images) != len(labels) or not len(labels) or labels.max() > 9:
            raise FFCError(f"{folder}: data set 'mnist' expects images of 28×28, each with a digit; fetch them again")
    train, test = (resize(part.data.numpy()[..., None], size) for part in parts)
    train_labels, test_labels = (part.targets.numpy().astype(np.int32) for part in parts)
    return Dataset("mnist", title("mnist", size), train, test, train_labels, test_labels, classes=10)


def cifar10(root: Path, size: int | None, download: bool = False) -> Dataset:
    """CIFAR-10, 32 × 32 colour, as torchvision keeps it: `cifar10/cifar-10-batches-py/` under the root."""
    need("torchvision", extra="paper")
    from torchvision.datasets import CIFAR10

    parts = _torchvision(CIFAR10, root / "cifar10", download, "cifar10", "the folder cifar-10-batches-py/")
    train, test = (resize(part.data, size) for part in parts)
    train_labels, test_labels = (np.array(part.targets, np.int32) for part in parts)
    return Dataset("cifar10", title("cifar10", size), train, test, train_labels, test_labels, classes=10)


def cifar10_jpeg(root: Path, size: int | None) -> Dataset:
    """CIFAR-10 saved as JPEG (not the same pixels), 32 × 32 colour: an archive, or a folder of images.

    Under the root: `cifar10/cifar10-jpeg.tar.xz`, or unpacked `cifar10/train/<class>/*.jpg` and `test/`.
    """
    folder = root / "cifar10"
    archive = folder / "cifar10-jpeg.tar.xz"
    if archive.is_file():
        pictures, place = archive_pictures(archive), archive
    elif (folder / "train").is_dir() and (folder / "test").is_dir():
        pictures, place = folder_pictures(folder), folder
    else:
        raise FFCError(
            f"{folder}: data set 'cifar10-jpeg' expects cifar10-jpeg.tar.xz there, or train/<class>/*.jpg and "
            "test/<class>/*.jpg; put them there, name another root (FFC_DATA), or use data set 'cifar10'"
        )
    return _folder_dataset("cifar10-jpeg", title("cifar10-jpeg", size), pictures, place, size)


def image_folder(root: Path, size: int, path: str) -> Dataset:
    """Any folder of images, cut to their centre squares: `path`, absolute or under the root.

    Subfolders `train` and `test` are kept apart, and must then be all that there is; otherwise every fifth image of a
    fixed shuffle is for testing. Subfolders (below those) are classes, in alphabetical order. Links are followed, and
    hidden files and folders passed over.
    """
    folder = _folder("image_folder", root, path)
    return _folder_dataset("image_folder", f"{folder.name} {size}×{size}", folder_pictures(folder), folder, size)


def imagenet(root: Path, size: int | None, path: str = "imagenet", limit: int = 100) -> Dataset:
    """Return the first `limit` images of a folder of ImageNet's, for testing only: `path`, absolute or under the root.

    Without a size they stay as they are, a tuple of arrays of unequal size.
    """
    limit = _positive("imagenet", "limit", limit)
    folder = _folder("imagenet", root, path)
    images = tuple(decode(str(folder / name), data, size) for name, data in folder_pictures(folder, limit))
    if not images:
        raise FFCError(f"{folder}: no pictures; data set 'imagenet' expects JPEG files there")
    if size is None:
        return Dataset("imagenet", f"ImageNet, {len(images)} images", (), images)
    test = np.stack(images)
    return Dataset("imagenet", f"ImageNet, {len(images)} images, {size}×{size}", test[:0], test)


def _folder_dataset(
    name: str, title: str, pictures: Iterable[tuple[str, bytes]], place: Path, size: int | None
) -> Dataset:
    """Pictures named `[train/|test/][class/]…/file`, as a data set; of one channel where all of them are gray."""
    decoded = sorted(((key, decode(f"{place}: {key}", data, size)) for key, data in pictures), key=lambda item: item[0])
    if len({image.shape for _, image in decoded}) != 1:
        problem = "images of different sizes; name a size" if decoded else "no pictures; put some there"
        raise FFCError(f"{place}: data set {name!r} found {problem}")
    images = np.stack([image for _, image in decoded])
    if (images == images[..., :1]).all():
        images = images[..., :1]
    folders = [Path(key).parts[:-1] for key, _ in decoded]
    apart = _kept_apart(place, {Path(key).parts[0] for key, _ in decoded})
    groups = [parts[1:2] if apart else parts[:1] for parts in folders]
    names = sorted(set(groups))
    labelled = () not in names and len(names) > 1
    labels = np.array([names.index(group) for group in groups], np.int32) if labelled else None
    classes = len(names) if labelled else None
    if not apart:
        return _split(name, title, images, labels, classes)
    training = np.array([parts[0] == "train" for parts in folders])
    halves = [_shuffle(images[part], None if labels is None else labels[part]) for part in (training, ~training)]
    (train, train_labels), (test, test_labels) = halves
    return Dataset(name, title, train, test, train_labels, test_labels, classes)


def _kept_apart(place: Path, tops: set[str]) -> bool:
    """Whether the pictures lie in `train` and `test`. `FFCError` where that is meant, and some lie elsewhere."""
    if len({top.lower() for top in tops} & _PARTS) < 2:
        return False
    if others := sorted(tops - {"train", "test"}):
        raise FFCError(
            f"{place}: pictures for training and for testing are kept apart in train and test, where none may lie "
            f"beside them; move or rename {', '.join(others[:3])}"
        )
    return True


def _split(name: str, title: str, images: np.ndarray, labels: np.ndarray | None, classes: int | None) -> Dataset:
    """Four fifths for training, one for testing, of a fixed shuffle."""
    images, labels = _shuffle(images, labels)
    cut = len(images) - len(images) // _TEST_SHARE
    train_labels, test_labels = (None, None) if labels is None else (labels[:cut], labels[cut:])
    return Dataset(name, title, images[:cut], images[cut:], train_labels, test_labels, classes)


def _shuffle(images: np.ndarray, labels: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the same shuffle every time, so that the first images are a fair sample of all."""
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], None if labels is None else labels[order]


def _windows(image: np.ndarray, size: int, stride: int) -> np.ndarray:
    """[count, size, size, channels]: the windows of an image, `stride` pixels apart both ways."""
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))[::stride, ::stride]
    return np.moveaxis(views, 2, -1).reshape(-1, size, size, image.shape[2])


def _torchvision(dataset: Callable, folder: Path, download: bool, name: str, expected: str) -> list[Any]:
    """(train, test) of a torchvision data set."""
    if not isinstance(download, bool):
        raise FFCError(f"data set {name!r}, download: expected true or false, not {download!r}")
    try:
        return [dataset(str(folder), train=train, download=download) for train in (True, False)]
    except Exception as error:  # torchvision raises whatever its readers meet
        fact = str(error).partition(". ")[0]  # the rest is advice for callers of torchvision
        remedy = (
            "check the network" if download else "set `download: true` in its data section (`ffc train`: --download)"
        )
        raise FFCError(
            f"{folder}: data set {name!r} could not be read ({fact}); expected {expected} there: {remedy}, put the "
            "files there, or name another root (FFC_DATA)"
        ) from error


def _folder(name: str, root: Path, path: str) -> Path:
    folder = root / expanded(path)
    if not folder.is_dir():
        raise FFCError(f"{folder}: no such folder; data set {name!r} expects images there: put them there or set path")
    return folder


def _positive(name: str, option: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise FFCError(f"data set {name!r}, {option}: expected a positive whole number, not {value!r}")
    return value


#: Every data set by the name that presets, records and figures call it. Its options are those of its function.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "patches": patches,
    "mnist": mnist,
    "cifar10": cifar10,
    "cifar10-jpeg": cifar10_jpeg,
    "image_folder": image_folder,
    "imagenet": imagenet,
    "text": text,
}
