"""Settings and data that cannot be trained with: each is named, with what is wrong."""

import numpy as np
import pytest
from test_training import SETTINGS, run

from ffc.core.errors import FFCError
from ffc.data import Dataset
from ffc.training import TrainSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 3}, r"unknown key step; expected steps, batch, learning_rate"),
        ({"steps": 0}, "steps is 0; expected a whole number"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"batch": True}, "batch is True"),
        ({"learning_rate": "1e-3"}, r"write 1\.0e-3"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"decay": 1.1}, "decay is 1.1; expected cosine, or a factor"),
        ({"decay": "linear"}, "decay is 'linear'"),
        ({"ema": 1}, "ema is 1"),
        ({"precision": "float16"}, "precision is 'float16'; expected float32 or bfloat16"),
        ({"clip": 0}, "clip is 0"),
        ({"validate_every": -1}, "validate_every is -1"),
        ({"save_every": 0}, "save_every is 0"),
        ({"max_minutes": 0}, "max_minutes is 0"),
    ],
)
def test_settings_that_make_no_sense_are_told(changes, message):
    with pytest.raises(FFCError, match=message):
        TrainSettings.of(SETTINGS | changes)
    with pytest.raises(FFCError, match="steps is missing"):
        TrainSettings.of({"batch": 3})


@pytest.mark.parametrize(
    ("train_images", "test_images", "message"),
    [
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros((2, 4, 4, 1), np.uint8), "no train images"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros((0, 4, 4, 1), np.uint8), "no test images"),
        ((), (np.zeros((4, 5, 1), np.uint8),), "differ in size"),
    ],
)
def test_data_that_cannot_be_trained_on_are_told(train_images, test_images, message, tmp_path):
    with pytest.raises(FFCError, match=message):
        run(Dataset("toy", "Toy", train_images, test_images), tmp_path)
