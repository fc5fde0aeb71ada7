"""Pictures of one's own: which files of a folder count, for what, and how each is read."""

import io

import numpy as np
import pytest
from PIL import Image

from ffc.core.errors import FFCError
from ffc.data import load
from ffc.data.images import decode, folder_pictures


def write(folder, *names):
    """Pictures of these names, all different."""
    for level, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), level).save(folder / name)


def names(folder):
    return [name for name, _ in folder_pictures(folder)]


def saved(picture, suffix="PNG", **options):
    file = io.BytesIO()
    picture.save(file, suffix, **options)
    return file.getvalue()


def test_pictures_for_testing_stay_apart(tmp_path):
    write(tmp_path, *(f"test/{i}.png" for i in range(3)), *(f"train/{i}.png" for i in range(9)))
    data = load("image_folder", tmp_path, size=4, path=".")
    assert (data.train.min(), data.test.max()) == (3, 2)


@pytest.mark.parametrize("beside", ["preview.png", "val/0.png", "Test/0.png"])
def test_a_picture_beside_train_and_test_is_refused(tmp_path, beside):
    write(tmp_path, "train/0.png", "test/0.png", beside)
    with pytest.raises(FFCError, match=f"kept apart in train and test.*rename {beside.partition('/')[0]}"):
        load("image_folder", tmp_path, size=4, path=".")


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path, *(f"{kind}/{i}.png" for kind in ("bus", "train") for i in range(5)))
    assert load("image_folder", tmp_path, size=4, path=".").classes == 2


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    write(tmp_path, "cat/0.png", "cat/.0.png", ".ipynb_checkpoints/0.png", "cat/.thumbnails/a/0.png")
    assert names(tmp_path) == ["cat/0.png"]


def test_links_are_followed_and_none_is_lost_or_counts_twice(tmp_path):
    folder = tmp_path / "mine"
    write(tmp_path, "elsewhere/0.png", "elsewhere/deep/1.png", "mine/dog/2.png")
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    assert names(folder) == ["cat/0.png", "cat/deep/1.png", "dog/2.png"]
    for target, words in (("gone", "leads nowhere"), (folder, f"is the folder {folder}, too")):
        (folder / "dog" / "link").symlink_to(target)
        with pytest.raises(FFCError, match=words):
            names(folder)
        (folder / "dog" / "link").unlink()


def test_sixteen_bits_of_gray_keep_their_shades():
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024
    png = saved(Image.fromarray(levels))
    pgm = b"P5 8 8 65535\n" + levels.astype(">u2").tobytes()
    for name, data in {"a.png": png, "a.pgm": pgm}.items():
        np.testing.assert_array_equal(decode(name, data)[..., 0], levels // 256)


def test_a_picture_lies_as_its_camera_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture = Image.fromarray(np.uint8([[0, 100, 200]]))
    np.testing.assert_array_equal(decode("a.png", saved(picture, exif=exif))[..., 0], [[0], [100], [200]])


def test_what_is_transparent_shows_white():
    red = Image.fromarray(np.uint8([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]]), "RGBA")
    expected = [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]
    np.testing.assert_array_equal(decode("a.png", saved(red)), expected)
    assert decode("a.png", saved(red.convert("LA")))[0, 1].tolist() == [255, 255, 255]
    clear = saved(red.convert("RGB").convert("P").resize((1, 1)), transparency=bytes(256))
    assert decode("a.png", clear)[0, 0].tolist() == [255, 255, 255]
