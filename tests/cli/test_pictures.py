"""The picture of many batches."""

from PIL import Image
from test_stream import SHAPE, sample

from ffc.cli import main as cli


def test_the_picture_shows_the_first_samples_and_quiet_is_quiet(made, tmp_path, capsys):
    words = ("--quiet", "--batch", 60, "--batches", 2, "--image", tmp_path / "samples.png")
    assert sample(made, tmp_path / "samples", *words) == cli.DONE
    assert capsys.readouterr() == ("", "")
    with Image.open(tmp_path / "samples.png") as image:
        assert image.size == (10 * SHAPE[1], 10 * SHAPE[0])
