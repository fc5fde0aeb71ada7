"""The programs that are compiled for a GPU: how many GPUs each runs on, and what makes its function and arguments.

Arguments are shapes, but for MADE's weights, whose masks decide what its program is. The batch of the first is spread
over the GPUs. A solve returns its value and its iterations.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp

from ffc import GSJacobi, Jacobi, JacobiGS, RowAbove, Sequential, solve
from ffc.core.keys import key_of
from ffc.models.base import Batch
from ffc.models.densenet import DenseNet
from ffc.models.made import MADE
from ffc.models.pixelcnnpp import PixelCNNPP, PixelSampling
from ffc.models.pixelcnnpp.drafts import LinearOutputs
from ffc.models.rnn import forward_by_newton, init, loss_and_gradients
from ffc.models.transformer import Transformer
from ffc.training import TrainSettings, step

GRAY = PixelCNNPP((28, 28, 1), filters=16, resnets=1)
PAPER = PixelCNNPP((32, 32, 3))
COLOUR = replace(PAPER, filters=16, resnets=1)
ROW = PAPER.shape[1]
CACHED = Sequential(cached=True)


def solved(system, solver):
    solution = solve(system, solver, x0=RowAbove() if isinstance(solver, GSJacobi) else None)
    return solution.value, solution.iterations


def samples(model, solver, batch=1):
    """A solve of a sampler's system."""

    def make():
        system = model.system(model.init(key_of(0)), model.noise(key_of(0), batch))
        return lambda system: solved(system, solver), (system,)

    return 1, make


def pixels(model, solver, batch=1, drafted=False, gpus=1):
    """A solve of 8-bit pixels."""

    def function(coupling, layers, draft):
        return solved(PixelSampling(layers, coupling), replace(solver, draft=draft) if drafted else solver)

    def make():
        system = jax.eval_shape(
            lambda key: model.system(model.init(key), model.noise(key, batch), quantize="8bit"), key_of(0)
        )
        changes = jax.ShapeDtypeStruct((4, model.channels, len(system.layers["nin_0"]["WNDense_0"].bias)), jnp.float32)
        return function, (system.coupling, system.layers, LinearOutputs(changes, kernel=True) if drafted else None)

    return gpus, make


def newton():
    """The states of a recurrence by Newton's method."""
    weights = jax.eval_shape(partial(init, hidden=50, scale=0.1), key_of(0))
    sequences = jax.ShapeDtypeStruct((1, 2000), jnp.float32)
    return lambda x, weights: forward_by_newton(weights, x)[0].loss, (sequences, weights)


def densenet():
    model = DenseNet(classes=1000)
    images = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    return lambda images, weights: solved(model.system(weights, images), Jacobi()), (images, model.shapes())


def rnn():
    weights = jax.eval_shape(partial(init, hidden=128, scale=0.1), key_of(0))
    sequences = jax.ShapeDtypeStruct((10, 784), jnp.float32)
    return lambda x, weights: loss_and_gradients(weights, x, 10), (sequences, weights)


def training(model, precision):
    settings = TrainSettings(steps=10, batch=16, precision=precision)
    state = jax.eval_shape(partial(step.start, model, settings), key_of(0))
    images = jax.ShapeDtypeStruct((64, *model.shape), jnp.uint8)
    rows, number = jax.ShapeDtypeStruct((16,), jnp.int32), jax.ShapeDtypeStruct((), jnp.int32)

    def one(images, state, key, number, rows):
        return step._step(model, settings, state, Batch(images, None, key, settings.dtype), number, rows)

    return one, (images, state, key_of(0), number, rows)


def branch():
    """A loop with a branch that returns a whole array, and a product as exact as the device's default."""

    def body(_, x):
        return jax.lax.cond(x[0, 0] > 0, lambda x: x.at[0].add(1), lambda x: x, x @ x)

    return lambda x: jax.lax.fori_loop(0, x[0, 0].astype(int), body, x), (jnp.ones((256, 256)),)


PROGRAMS = {
    "a branch in a loop": (1, branch),
    "MADE, everything, 100": samples(MADE((28, 28, 1)), Jacobi(), 100),
    "MADE, in order, 100": samples(MADE((28, 28, 1)), CACHED, 100),
    "digits, cached": pixels(GRAY, CACHED),
    "digits, half a row": pixels(GRAY, GSJacobi(14)),
    "digits, half a row, drafted": pixels(GRAY, GSJacobi(14), drafted=True),
    "colour, cached": pixels(COLOUR, CACHED),
    "colour, a row": pixels(COLOUR, GSJacobi(ROW)),
    "colour, a drafted row": pixels(COLOUR, GSJacobi(ROW), drafted=True),
    "colour, a drafted row, on four GPUs": pixels(COLOUR, GSJacobi(ROW), 8, drafted=True, gpus=4),
    "paper, cached": pixels(PAPER, CACHED),
    "paper, a row": pixels(PAPER, GSJacobi(ROW)),
    "paper, a drafted row": pixels(PAPER, GSJacobi(ROW), drafted=True),
    "paper, four drafted rows": pixels(PAPER, GSJacobi(4 * ROW), drafted=True),
    "paper, everything drafted": pixels(PAPER, Jacobi(), drafted=True),
    "paper, cached, 16": pixels(PAPER, CACHED, 16),
    "paper, everything, 16": pixels(PAPER, Jacobi(), 16),
    "paper, two rows, 16": pixels(PAPER, GSJacobi(2 * ROW), 16),
    "paper, columns, 16": pixels(PAPER, JacobiGS(ROW), 16),
    "paper, a drafted row, 16": pixels(PAPER, GSJacobi(ROW, together=True), 16, drafted=True),
    "tokens, windows": samples(Transformer((1, 128, 1)), GSJacobi(16)),
    "RNN": (1, rnn),
    "recurrence, Newton": (1, newton),
    "DenseNet-201": (1, densenet),
    "training": (1, partial(training, Transformer((1, 128, 1), depth=1), "float32")),
    "training, bfloat16": (1, partial(training, Transformer((1, 128, 1), depth=1), "bfloat16")),
}
