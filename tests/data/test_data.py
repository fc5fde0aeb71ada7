"""Data sets: true names, fixed and disjoint splits, readers of their files, and clear words for broken ones."""

import io
import lzma
import re
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image
from sound import member, tar

from ffc.core.errors import FFCError
from ffc.data import Dataset, load, rows, title
from ffc.data.images import decode, folder_pictures
from ffc.store.records import Record


def saved(image, suffix="PNG", **options) -> bytes:
    """The file of a picture."""
    file = io.BytesIO()
    image.save(file, suffix, **options)
    return file.getvalue()


def picture(color, size=(32, 32)) -> bytes:
    return saved(Image.new("RGB", size, color), "JPEG")


def write(folder, pictures):
    """Files {name: content}; or pictures of these names, all different."""
    if not isinstance(pictures, dict):
        pictures = {name: saved(Image.new("L", (4, 4), level)) for level, name in enumerate(pictures)}
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


PLACES = {"train/cat/0": "red", "train/cat/1": "red", "train/dog/0": "blue", "test/cat/0": "red", "test/dog/0": "blue"}
CLASSES = {f"{place}.jpg": picture(color) for place, color in PLACES.items()}


def assert_same(one: Dataset, other: Dataset):
    np.testing.assert_equal(vars(one), vars(other))
    assert one.sha256() == other.sha256()


@pytest.mark.parametrize(("size", "words"), [(None, "8×8"), (10, "resized to 10×10")])
def test_digits_have_the_size_asked_for_and_the_same_split_every_time(size, words):
    data, plain, side = load("digits", size=size), load("digits"), size or 8
    assert data.title == title("digits", size) == f"scikit-learn digits {words}"
    assert rows("digits", size) == side
    assert (data.train.shape, data.test.shape) == ((1438, side, side, 1), (359, side, side, 1))
    assert (data.train.dtype, data.train_labels.dtype) == (np.uint8, np.int32)
    assert (data.classes, data.shape) == (10, (side, side, 1))
    assert (data.train.min(), data.train.max(), len(np.unique(plain.train))) == (0, 255, 17)
    assert (data.sha256() == plain.sha256()) == (size is None)
    np.testing.assert_array_equal(data.train_labels, plain.train_labels)
    assert set(data.test_labels[:100]) == set(range(10)), "the first images are a fair sample"


def test_patches_are_pieces_of_the_photographs_for_training_or_for_testing_never_both():
    """Every test patch, pixel for pixel, is absent from the strips that training patches are cut from."""
    from sklearn.datasets import load_sample_images

    data = load("patches", size=16, stride=1)
    assert data.test.shape == (2 * 2 * 4 * 26, 16, 16, 3)
    train, test = ({row.tobytes() for row in part[:, 0].reshape(len(part), -1)} for part in (data.train, data.test))
    assert not train & test
    first, data = load_sample_images().images[0][:8, :8], load("patches")
    assert any(np.array_equal(first, patch) for patch in data.train)
    assert_same(data, load("patches", size=8, stride=4))  # half a patch apart
    assert len(data.train) > 3 * len(load("patches", stride=8).train)


def write_idx(root, part, images, labels):
    """MNIST's files as torchvision keeps them."""
    sizes, count = struct.pack(">4i", 2051, *images.shape), struct.pack(">2i", 2049, len(labels))
    files = {"images-idx3": sizes + images.tobytes(), "labels-idx1": count + bytes(labels)}
    write(root / "mnist" / "MNIST" / "raw", {f"{part}-{name}-ubyte": content for name, content in files.items()})


def test_mnist_is_read_as_torchvision_lays_it_out(tmp_path, monkeypatch):
    """The four IDX files, image i filled with i and labelled i."""
    for part, count in (("train", 5), ("t10k", 3)):
        images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 28, 28))
        write_idx(tmp_path, part, images, range(count))
    data = load("mnist", tmp_path)
    assert data.train.shape == (5, 28, 28, 1)
    np.testing.assert_array_equal(data.train[:, 3, 3, 0], data.train_labels)
    np.testing.assert_array_equal(data.test_labels, [0, 1, 2])
    assert load("mnist", tmp_path, size=10).shape == (10, 10, 1)
    monkeypatch.setenv("FFC_DATA", str(tmp_path))
    assert_same(load("mnist"), data)
    for shape, labels in (((3, 14, 56), [0, 1, 2]), ((2, 28, 28), [0, 1, 2]), ((0, 28, 28), []), ((1, 28, 28), [10])):
        write_idx(tmp_path, "train", np.zeros(shape, np.uint8), labels)
        with pytest.raises(FFCError, match=r"mnist: data set 'mnist' (expects images of 28×28|could not be read)"):
            load("mnist", tmp_path)


def test_cifar10_jpeg_is_the_same_from_the_archive_and_unpacked(tmp_path):
    """The archive is read in memory, in any order; its links and other files are passed over."""
    write(tmp_path / "unpacked" / "cifar10", CLASSES)
    write(tmp_path, {"secret.jpg": picture("green")})
    path = tmp_path / "packed" / "cifar10" / "cifar10-jpeg.tar.xz"
    files = {"train/dog/readme.txt": b"text", **CLASSES}
    link = member("train/cat/link.jpg", type=tarfile.SYMTYPE, linkname=str(tmp_path / "secret.jpg"))
    content = lzma.compress(tar(link, *(member(name, files[name]) for name in reversed(files))))
    write(path.parent, {path.name: content})
    data = load("cifar10-jpeg", tmp_path / "packed")
    assert_same(data, load("cifar10-jpeg", tmp_path / "unpacked"))
    assert (data.name, data.title) == ("cifar10-jpeg", "CIFAR-10 (JPEG) 32×32")
    assert (data.train.shape, data.test.shape) == ((3, 32, 32, 3), (2, 32, 32, 3))
    for images, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        np.testing.assert_array_equal(images[..., 0].mean(axis=(1, 2)) < 200, labels)  # cats are red
    assert list(path.parent.iterdir()) == [path]
    path.write_bytes(content[:-200])
    with pytest.raises(FFCError, match=rf"{path.name}: not a whole archive"):
        load("cifar10-jpeg", tmp_path / "packed")


def test_a_folder_of_images_is_cut_to_centre_squares_and_its_subfolders_are_classes(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    write(tmp_path / "mine", {f"{i}.png": saved(Image.fromarray(wide)) for i in range(5)})
    for size in (10, 60):
        data = load("image_folder", tmp_path, size=size, path="mine")
        assert (data.train.shape, data.test.shape) == ((4, size, size, 1), (1, size, size, 1))  # no colour in any
        assert (data.train.min(), data.classes, data.train_labels) == (255, None, None)
    write(tmp_path / "colours", {f"{kind}/{i}.jpg": picture(kind, (40, 30)) for kind in ("red", "blue") for i in "abc"})
    data = load("image_folder", size=8, path=str(tmp_path / "colours"))
    assert (data.classes, data.shape, data.title) == (2, (8, 8, 3), "colours 8×8")
    np.testing.assert_array_equal(data.train[:, 0, 0, 0] > 200, data.train_labels == 1)


def test_imagenet_keeps_each_image_at_its_own_size_also_in_a_record(tmp_path):
    sizes = [(30, 20), (10, 50), (8, 8)]
    write(tmp_path / "imagenet", {f"n{i}.JPEG": picture("red", size) for i, size in enumerate(sizes)})
    data = load("imagenet", tmp_path, limit=2)
    assert ([image.shape for image in data.test], len(data.train)) == ([(20, 30, 3), (50, 10, 3)], 0)
    assert load("imagenet", tmp_path, size=16).test.shape == (3, 16, 16, 3)
    with pytest.raises(FFCError, match="differ in size"):
        _ = data.shape
    for one in (data, load("digits")):
        one.to_record().save(tmp_path / "data.npz")
        assert_same(Dataset.load(tmp_path / "data.npz"), one)


def test_text_is_ascii_of_files_that_do_not_mix():
    data = load("text", size=64)
    assert data.train.shape[1:] == data.test.shape[1:] == (1, 64, 1)
    assert len(data.train) > 7 * len(data.test) > 7000, "four files of five, in windows half apart"
    assert max(data.train.max(), data.test.max()) < 128
    train, test = ({row.tobytes() for row in part} for part in (data.train, data.test))
    assert len(train & test) < 0.1 * len(test), "sentences that stand in several files"
    assert load("text", size=64).sha256() == data.sha256()
    assert re.fullmatch(r"scikit-learn \S+'s documentation, 64 bytes", data.title)


TWO = np.zeros((2, 4, 4, 1), np.uint8)
FOREIGN = [
    ({"train": TWO[0]}, "train holds no images"),
    ({"train": TWO.ravel(), "train_shapes": np.full((1, 3), 4, np.int32)}, "train_shapes are not those"),
    ({"test_labels": np.zeros(2)}, "test_labels holds not one int32 for each image"),
    ({"test_labels": np.zeros(3, np.int32)}, "test_labels holds not one int32 for each image"),
    ({}, "it has no 'title'"),
]


@pytest.mark.parametrize(("changes", "message"), FOREIGN)
def test_a_record_of_something_else_is_refused(tmp_path, changes, message):
    facts = {"name": "toy", "title": "Toy", "classes": None} if changes else {"name": "toy"}
    Record({"train": TWO, "test": TWO} | changes, facts).save(path := tmp_path / "data.npz")
    with pytest.raises(FFCError, match=f"{path}: not a record of a data set: {message}"):
        Dataset.load(path)


MISTAKES = [
    ({"name": "digitz"}, r"data set 'digitz': expected one of digits, patches, mnist"),
    ({"name": "digits", "stride": 2}, "unknown option stride; expected size"),
    ({"name": "digits", "size": 0}, "size: expected a positive whole number of pixels, not 0"),
    ({"name": "patches", "size": 65}, "at most 64 pixels, not 65"),
    ({"name": "patches", "stride": 0}, "stride.*positive"),
    ({"name": "text", "size": 10**8}, "'text', size: no file of it has 100000000 bytes; give a smaller size"),
    ({"name": "mnist"}, r"mnist.*download: true.*FFC_DATA"),
    ({"name": "mnist", "download": "yes"}, "download.*true or false"),
    ({"name": "cifar10-jpeg"}, "different sizes"),
    ({"name": "imagenet"}, "imagenet: no such folder"),
    ({"name": "image_folder", "path": "broken", "size": 8}, r"cut\.jpg: not a picture"),
    ({"name": "image_folder", "path": "empty", "size": 8}, "no pictures"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_what_cannot_be_loaded_is_told_in_one_message(arguments, message, tmp_path):
    write(tmp_path / "broken", {"ok.jpg": picture("red"), "cut.jpg": picture("red")[:300]})
    write(tmp_path / "cifar10", CLASSES | {"test/dog/1.jpg": picture("red", (31, 32))})
    (tmp_path / "empty").mkdir()
    with pytest.raises(FFCError, match=message):
        load(root=tmp_path, **arguments)


def test_pictures_for_testing_stay_apart_and_a_picture_beside_them_is_refused(tmp_path):
    write(tmp_path / "split", [*(f"test/{i}.png" for i in range(3)), *(f"train/{i}.png" for i in range(9))])
    data = load("image_folder", tmp_path, size=4, path="split")
    assert (data.train.min(), data.test.max()) == (3, 2)
    for beside in ("preview.png", "Test/0.png"):
        write(tmp_path / "split", [beside])
        with pytest.raises(FFCError, match=f"kept apart in train and test.*rename {beside.partition('/')[0]}"):
            load("image_folder", tmp_path, size=4, path="split")
        (tmp_path / "split" / beside).unlink()
    write(tmp_path / "vehicles", [f"{kind}/{i}.png" for kind in ("bus", "train") for i in range(5)])
    assert load("image_folder", tmp_path, size=4, path="vehicles").classes == 2, "a class may be called train"


def test_hidden_files_are_passed_over_links_are_followed_and_no_picture_counts_twice(tmp_path):
    folder, hidden = tmp_path / "mine", ("mine/dog/.2.png", "mine/dog/.small/a/0.png")
    write(tmp_path, ["elsewhere/0.png", "elsewhere/deep/1.png", "mine/dog/2.png", *hidden])
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    assert [name for name, _ in folder_pictures(folder)] == ["cat/0.png", "cat/deep/1.png", "dog/2.png"]
    for target, words in (("gone", "leads nowhere"), (folder, f"is the folder {folder}, too")):
        (folder / "dog" / "link").symlink_to(target)
        with pytest.raises(FFCError, match=words):
            list(folder_pictures(folder))
        (folder / "dog" / "link").unlink()


def test_a_picture_is_what_viewers_show():
    """The upper 8 of 16 bits of gray, turned as its camera was held, white where it is transparent."""
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024
    for data in (saved(Image.fromarray(levels)), b"P5 8 8 65535\n" + levels.astype(">u2").tobytes()):
        np.testing.assert_array_equal(decode("a", data)[..., 0], levels // 256)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = saved(Image.fromarray(np.uint8([[0, 100, 200]])), exif=exif)
    np.testing.assert_array_equal(decode("a.png", turned)[..., 0], [[0], [100], [200]])
    red = Image.fromarray(np.uint8([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]]), "RGBA")
    np.testing.assert_array_equal(decode("a", saved(red)), [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]])
    clear = saved(red.convert("RGB").convert("P").resize((1, 1)), transparency=bytes(256))
    for data in (saved(red.crop((1, 0, 2, 1)).convert("LA")), clear):
        assert decode("a", data)[0, 0].tolist() == [255, 255, 255]
