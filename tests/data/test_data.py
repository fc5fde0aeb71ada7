"""Data sets: true names, fixed and disjoint splits, readers of their files, and clear words for broken ones."""

import io
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from ffc.core.errors import FFCError
from ffc.data import DATASETS, Dataset, load
from ffc.store.records import Record


def picture(color, size=(32, 32), suffix="JPEG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, suffix)
    return file.getvalue()


def write_pictures(folder, pictures):
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


CLASSES = {
    "train/cat/0.jpg": picture("red"),
    "train/cat/1.jpg": picture("red"),
    "train/dog/0.jpg": picture("blue"),
    "test/cat/0.jpg": picture("red"),
    "test/dog/0.jpg": picture("blue"),
}


def write_mnist(root, counts=(5, 3)):
    """The four IDX files, image i filled with i and labelled i."""
    raw = root / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in zip(("train", "t10k"), counts, strict=True):
        images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 28, 28))
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, count, 28, 28) + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, count) + bytes(range(count)))


def assert_same(a: Dataset, b: Dataset):
    assert (a.name, a.title, a.classes) == (b.name, b.title, b.classes)
    for part in ("train", "test"):
        assert len(getattr(a, part)) == len(getattr(b, part))
        for image, other in zip(getattr(a, part), getattr(b, part), strict=True):
            np.testing.assert_array_equal(image, other)
    for part in ("train_labels", "test_labels"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))


@pytest.mark.parametrize("size", [None, 10, 32])
def test_digits_have_the_size_asked_for_and_all_sixteen_levels(size):
    data = load("digits", size=size)
    side = size or 8
    assert data.train.shape == (1438, side, side, 1)
    assert data.test.shape == (359, side, side, 1)
    assert data.train.dtype == np.uint8
    assert data.train_labels.dtype == np.int32
    assert data.classes == 10
    assert data.shape == (side, side, 1)
    assert data.train.min() == 0
    assert data.train.max() == 255
    assert ("resized" in data.title) == (size is not None)


def test_digits_are_split_the_same_way_at_every_size_and_every_time():
    data, again, larger = load("digits"), load("digits"), load("digits", size=10)
    assert data.sha256() == again.sha256() != larger.sha256()
    np.testing.assert_array_equal(data.train_labels, larger.train_labels)
    assert set(data.test_labels[:100]) == set(range(10)), "the first images are a fair sample"


def test_a_patch_is_for_training_or_for_testing_never_both():
    """Every test patch, pixel for pixel, is absent from the strips that training patches are cut from."""
    data = load("patches", size=16, stride=1)
    assert data.test.shape == (2 * 2 * 4 * 26, 16, 16, 3)
    train = {row.tobytes() for row in data.train[:, 0].reshape(len(data.train), -1)}
    test = {row.tobytes() for row in data.test[:, 0].reshape(len(data.test), -1)}
    assert not train & test


def test_patches_are_pieces_of_the_photographs():
    from sklearn.datasets import load_sample_images

    photo = load_sample_images().images[0]
    first = photo[:8, :8]
    assert any(np.array_equal(first, patch) for patch in load("patches").train)
    assert len(load("patches").train) > 3 * len(load("patches", stride=8).train)


def test_mnist_is_read_as_torchvision_lays_it_out(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    data = load("mnist", tmp_path)
    assert data.train.shape == (5, 28, 28, 1)
    np.testing.assert_array_equal(data.train[:, 3, 3, 0], data.train_labels)
    np.testing.assert_array_equal(data.test_labels, [0, 1, 2])
    assert load("mnist", tmp_path, size=10).shape == (10, 10, 1)
    monkeypatch.setenv("FFC_DATA", str(tmp_path))
    assert_same(load("mnist"), data)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_missing_files_are_named_with_the_way_to_get_them(name, tmp_path):
    with pytest.raises(FFCError, match=rf"{tmp_path}.*download: true.*FFC_DATA"):
        load(name, tmp_path)


def archive(path, members, mode="w:xz"):
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = tarfile.SYMTYPE, str(content)
                tar.addfile(member)


def test_cifar10_jpeg_is_the_same_from_the_archive_and_unpacked(tmp_path):
    write_pictures(tmp_path / "unpacked" / "cifar10", CLASSES)
    (tmp_path / "packed" / "cifar10").mkdir(parents=True)
    archive(tmp_path / "packed" / "cifar10" / "cifar10-jpeg.tar.xz", dict(reversed(CLASSES.items())))
    data = load("cifar10-jpeg", tmp_path / "packed")
    assert_same(data, load("cifar10-jpeg", tmp_path / "unpacked"))
    assert data.name == "cifar10-jpeg"
    assert "JPEG" in data.title
    assert data.train.shape == (3, 32, 32, 3)
    red = data.train[..., 0].mean(axis=(1, 2)) > 200
    np.testing.assert_array_equal(data.train_labels, np.where(red, 0, 1))


def test_an_archive_is_read_in_memory_and_its_links_are_passed_over(tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(picture("green"))
    folder = tmp_path / "cifar10"
    folder.mkdir()
    hostile = {"train/cat/link.jpg": secret, "train/dog/readme.txt": b"text"}
    archive(folder / "cifar10-jpeg.tar.xz", CLASSES | hostile)
    data = load("cifar10-jpeg", tmp_path)
    assert len(data.train) == 3
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cifar10", "cifar10-jpeg.tar.xz", "secret.jpg"]


def test_a_truncated_archive_is_named(tmp_path):
    path = tmp_path / "cifar10" / "cifar10-jpeg.tar.xz"
    path.parent.mkdir()
    archive(path, CLASSES)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FFCError, match=rf"{path.name}: not a whole archive"):
        load("cifar10-jpeg", tmp_path)


def test_a_folder_of_images_is_cut_to_centre_squares(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    file = io.BytesIO()
    Image.fromarray(wide).save(file, "PNG")
    write_pictures(tmp_path / "mine", {f"{i}.png": file.getvalue() for i in range(5)})
    data = load("image_folder", tmp_path, size=10, path="mine")
    assert data.train.shape == (4, 10, 10, 1)  # white: no colour in any
    assert data.test.shape == (1, 10, 10, 1)
    assert data.train.min() == 255
    assert data.classes is data.train_labels is None


def test_subfolders_of_an_image_folder_are_its_classes(tmp_path):
    write_pictures(tmp_path, {f"{kind}/{i}.jpg": picture(kind, (40, 30)) for kind in ("red", "blue") for i in range(5)})
    data = load("image_folder", size=8, path=str(tmp_path))
    assert data.classes == 2
    assert data.shape == (8, 8, 3)
    np.testing.assert_array_equal(data.train[:, 0, 0, 0] > 200, data.train_labels == 1)


def test_imagenet_keeps_each_image_at_its_own_size(tmp_path):
    sizes = [(30, 20), (10, 50), (8, 8)]
    write_pictures(tmp_path / "imagenet", {f"n{i}.JPEG": picture("red", size) for i, size in enumerate(sizes)})
    data = load("imagenet", tmp_path, limit=2)
    assert [image.shape for image in data.test] == [(20, 30, 3), (50, 10, 3)]
    assert len(data.train) == 0
    assert load("imagenet", tmp_path, size=16).test.shape == (3, 16, 16, 3)
    with pytest.raises(FFCError, match="differ in size"):
        _ = data.shape


@pytest.mark.parametrize("name", ["digits", "patches", "imagenet"])
def test_a_record_gives_back_the_data_set(name, tmp_path):
    write_pictures(tmp_path / "imagenet", {f"{i}.jpg": picture("red", (i + 1, 7)) for i in range(3)})
    data = load(name, tmp_path)
    data.to_record().save(tmp_path / "data.npz")
    again = Dataset.from_record(Record.load(tmp_path / "data.npz"))
    assert_same(again, data)
    assert again.sha256() == data.sha256()


def test_a_record_of_something_else_is_refused():
    with pytest.raises(FFCError, match="not a record of a data set"):
        Dataset.from_record(Record({"samples": np.zeros(3)}, {"name": "jacobi"}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "digitz"}, r"'digitz'.*digits, patches, mnist"),
        ({"name": "digits", "stride": 2}, "unknown option stride; expected size"),
        ({"name": "digits", "size": 0}, "size.*positive"),
        ({"name": "digits", "size": True}, "size.*positive"),
        ({"name": "patches", "size": 65}, "at most 64"),
        ({"name": "patches", "stride": 0}, "stride.*positive"),
        ({"name": "mnist", "download": "yes"}, "download.*true or false"),
        ({"name": "cifar10-jpeg"}, "cifar10-jpeg.tar.xz"),
        ({"name": "image_folder", "size": 8}, "path"),
        ({"name": "image_folder", "path": "x", "size": 8}, "no such folder"),
        ({"name": "imagenet"}, "no such folder"),
        ({"name": "imagenet", "limit": 0}, "limit.*positive"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_message(arguments, message, tmp_path):
    with pytest.raises(FFCError, match=message):
        load(root=tmp_path, **arguments)


def test_broken_empty_and_unequal_pictures_are_named(tmp_path):
    write_pictures(tmp_path / "broken", {"ok.jpg": picture("red"), "cut.jpg": picture("red")[:300]})
    with pytest.raises(FFCError, match=r"cut\.jpg: not a picture"):
        load("image_folder", tmp_path, path="broken", size=8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FFCError, match="no pictures"):
        load("image_folder", tmp_path, path="empty", size=8)
    write_pictures(tmp_path / "cifar10", CLASSES | {"test/dog/1.jpg": picture("red", (31, 32))})
    with pytest.raises(FFCError, match="different sizes"):
        load("cifar10-jpeg", tmp_path)


def test_a_new_data_set_is_one_function(monkeypatch):
    def ones(root, size, count=2):
        images = np.ones((count, size, size, 1), np.uint8)
        return Dataset("ones", "Ones", images, images)

    monkeypatch.setitem(DATASETS, "ones", ones)
    assert load("ones", size=3, count=4).train.shape == (4, 3, 3, 1)


def test_text_is_ascii_of_files_that_do_not_mix():
    data = load("text", size=64)
    assert data.train.shape[1:] == data.test.shape[1:] == (1, 64, 1)
    assert min(len(data.train), len(data.test)) > 1000
    assert max(data.train.max(), data.test.max()) < 128
    assert load("text", size=64).sha256() == data.sha256()
    assert "scikit-learn" in data.title
    with pytest.raises(FFCError, match="data set 'text', size: no file of it has 100000000 bytes; give a smaller size"):
        load("text", size=10**8)
