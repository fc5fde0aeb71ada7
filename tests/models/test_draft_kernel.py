"""A draft's pass as one kernel: interpreted on a CPU, it gives the bits of the loop."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samplers import weights

from ffc.core.drafts import Evaluated
from ffc.models.pixelcnnpp import PixelCNNPP, draft_kernel
from ffc.models.pixelcnnpp.drafts import LinearOutputs

ROW = 8


@pytest.mark.parametrize(("channels", "count"), [(1, ROW // 2), (3, 2 * ROW)], ids=["half a row", "two rows"])
def test_the_kernel_drafts_the_bits_of_the_loop(channels, count, monkeypatch):
    model = PixelCNNPP((4, ROW, channels), filters=4, resnets=0, mixtures=3)
    system = model.system(weights(model), model.noise(jax.random.key(1), 2), "8bit")
    x = system.example(jax.random.key(2))
    y, outputs = system.sweep_outputs(x)
    before, after, outputs = jax.tree.map(lambda leaf: leaf[:, ROW : ROW + count], (x, y, outputs))
    evaluated = Evaluated(x, jnp.full(2, ROW), before, after, outputs, first=jnp.array([count // 3 - 1, count // 2]))
    changes = 0.2 * jax.random.normal(jax.random.key(3), (2, channels, outputs[0].shape[-1]))
    monkeypatch.setattr(draft_kernel, "drafted_rows", partial(draft_kernel.drafted_rows, interpret=True))
    loop, kernel = (
        jax.jit(replace(LinearOutputs(changes), kernel=kernel).redraft)(system, evaluated) for kernel in (False, True)
    )
    np.testing.assert_array_equal(loop, kernel)
    assert (loop != after).any(), "the changes are felt"
