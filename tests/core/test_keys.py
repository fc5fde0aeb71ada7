"""Random numbers: the seed alone decides them, and each seed has its own."""

import os
import subprocess
import sys

import jax
import pytest

from ffc.core.errors import FFCError
from ffc.core.keys import key_of


def test_every_seed_has_a_key_of_its_own_and_small_ones_that_of_jax():
    small = (0, 7, 2**31, 2**32 - 1)
    keys = [jax.random.key_data(key_of(seed)).tolist() for seed in (*small, 2**32, 7 * 2**32, 2**64 - 1)]
    assert len({tuple(key) for key in keys}) == len(keys)
    assert keys[: len(small)] == [jax.random.key_data(jax.random.key(seed)).tolist() for seed in small]
    for seed in (-1, 2**64, 0.5):
        with pytest.raises(FFCError, match=r"expected a whole number from 0 to 2\*\*64 − 1"):
            key_of(seed)


#: Noise, fresh weights and steps of training, as one digest.
DRAWN = """
import hashlib, jax, numpy as np, tempfile
from ffc.core.keys import key_of
from ffc.data import Dataset
from ffc.models.made import MADE
from ffc.models.rnn import network
from ffc.training import TrainSettings, train
model = MADE((4, 4, 1), hidden=(8, 8))
drawn = [network.init(key_of(2), 3, 0.1), model.noise(key_of(2**32 + 5), 3)]
images = (np.arange(8 * 16) % 256).astype(np.uint8).reshape(8, 4, 4, 1)
with tempfile.TemporaryDirectory() as folder:
    data = Dataset("test", "test", images, images)
    drawn.append(train(model, data, TrainSettings(steps=2, batch=4), 3, folder, log=lambda line: None).params)
print(hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(drawn))).hexdigest())
"""


@pytest.mark.stress
def test_settings_of_the_environment_change_no_bit(capsys):
    other = {"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_RANDOM_SEED_OFFSET": "1"}
    run = subprocess.run([sys.executable, "-c", DRAWN], env=os.environ | other, capture_output=True, text=True)
    exec(DRAWN, {})
    assert run.stdout == capsys.readouterr().out, run.stderr
