"""Backpropagation through the recurrent network, by ordinary adjoints or by Jacobi sweeps (paper, section 4.1)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.keys import reproducible
from ffc.core.measure import timed
from ffc.core.solution import Solution
from ffc.data import Dataset
from ffc.models import rnn
from ffc.paper.experiments.job import Job, Way
from ffc.store.records import Record

_TRAINED = "trained_"


@reproducible
def prepare(job: Job) -> Callable[[], Record]:
    """Return what trains by plain gradient descent with one solver's gradients, batch 1; compiled.

    It does so `repeats` times, from other seeds.

    Arrays of its record: `loss` [R, steps] before each step, `seconds` [R, steps] since the start (warm, synchronised),
    `trained_*` the parameters at the end of the first run, and `max_difference`, the largest difference of
    those to the feedforward run's.
    """
    iterations = job.options.get("iterations")
    if job.kind not in ("feedforward", "jacobi") or (iterations is None) != (job.kind == "feedforward"):
        raise FFCError(
            f"tasks.{job.task}.solvers.{job.solver}: expected feedforward, or solver: jacobi with its iterations"
        )
    x = sequences(job.load_data())
    timed(lambda: _step(start(job), x[:1], job.settings["learning_rate"], iterations))
    return partial(_run, job, x, iterations)


@reproducible
def way(job: Job) -> Way:
    """Return the backward pass of one sequence: adjoints, and the gradients from them."""
    params, x = start(job), sequences(job.load_data())[:1]
    iterations, steps = job.options.get("iterations"), x.shape[1]

    def backward(params: rnn.Params, x: jax.Array, run: rnn.Forward) -> tuple[rnn.Params, Solution | None]:
        adjoint, solution = rnn.adjoint_of(params, run, iterations)
        return rnn.gradients(x, run, adjoint), solution

    passes = 1 / steps if iterations is None else 1
    return Way(backward, (params, x, jax.jit(rnn.forward)(params, x)), steps, passes)


@reproducible
def _run(job: Job, x: jax.Array, iterations: int | None) -> Record:
    runs = [_train(job, x, repeat, iterations) for repeat in range(job.repeats)]
    trained = {_TRAINED + name: np.asarray(value) for name, value in runs[0][2].items()}
    before = trained if job.reference is None else job.load_reference().arrays
    difference = max(np.abs(value - before[name]).max() for name, value in trained.items())
    arrays = {"loss": np.stack([loss for loss, *_ in runs]), "seconds": np.stack([seconds for _, seconds, _ in runs])}
    return job.record(arrays | trained | {"max_difference": difference}, size=x.shape[1])


@reproducible
def gradient_errors(
    settings: dict[str, Any], solver: str, *, trained: Path, data: Path, seed: int, task: str = "rnn"
) -> Record:
    """How the gradient approaches the exact one, iteration by iteration, before and after training.

    `solver` is `jacobi` or `feedforward`; `trained` is the feedforward training's record. Arrays `begin`,
    `end` [samples, T + 1]: Euclidean distance to the exact gradient after k sweeps, or after k steps of
    ordinary backpropagation; index 0 has no adjoint yet (the output layer's gradient is exact from there).
    """
    if solver not in _ERRORS:
        raise FFCError(f"gradient errors: solver {solver!r}; expected one of {', '.join(_ERRORS)}")
    job = Job(task, settings | {"solvers": {solver: {}}}, solver, seed, settings["samples"], data=data)
    x = sequences(job.load_data())
    x = x[jax.random.choice(job.key(0, 2), len(x), (settings["samples"],), replace=False)]
    end = {name.removeprefix(_TRAINED): value for name, value in Record.load(trained).arrays.items()}
    stages = {"begin": start(job, 0), "end": {name: end[name] for name in ("W_h", "W_x", "b_h", "W_o", "b_o")}}
    curves = {stage: np.asarray(_ERRORS[solver](params, x)) for stage, params in stages.items()}
    return job.record(curves, size=x.shape[1])


def sequences(dataset: Dataset) -> jax.Array:
    """Return the training images as sequences [images, T] float32 in [0, 1], row by row."""
    images = cast(np.ndarray, dataset.train)
    return jnp.asarray(images.reshape(len(images), -1), jnp.float32) / 255


def start(job: Job, repeat: int = 0) -> rnn.Params:
    """Return the fresh weights of a run."""
    return rnn.init(job.key(repeat, 0), job.settings["hidden"], job.settings["scale"])


def _train(job: Job, x: jax.Array, repeat: int, iterations: int | None) -> tuple[np.ndarray, np.ndarray, rnn.Params]:
    """Losses, seconds since the start, and the parameters at the end."""
    params = start(job, repeat)
    order = jax.random.randint(job.key(repeat, 1), (job.settings["steps"],), 0, len(x), jnp.int32)
    step = partial(_step, rate=job.settings["learning_rate"], iterations=iterations)
    batches = list(x[order][:, None])
    losses, seconds = [], []
    for batch in batches:
        (params, loss), took = timed(partial(step, params, batch))
        losses.append(loss)
        seconds.append(took)
    return np.array(losses), np.cumsum(seconds), params


@partial(jax.jit, static_argnames="iterations")
def _step(params: rnn.Params, x: jax.Array, rate: float, iterations: int | None) -> tuple[rnn.Params, jax.Array]:
    loss, gradient = rnn.loss_and_gradients(params, x, iterations)
    return jax.tree.map(lambda value, slope: value - rate * slope, params, gradient), loss


def _over_samples(one):
    """Return the curve of one sequence [1, T], for each of `x` [samples, T]."""
    return jax.jit(lambda params, x: jax.lax.map(lambda row: one(params, row[None]), x))


@_over_samples
def _jacobi_errors(params: rnn.Params, x: jax.Array) -> jax.Array:
    run = rnn.forward(params, x)
    system = rnn.adjoint_system(params, run)
    distance = _distance_to_exact(params, x, run)
    start = system.initial()
    _, errors = jax.lax.scan(lambda a, _: ((b := system.sweep(a)), distance(b[:, ::-1])), start, length=system.size)
    return jnp.concatenate([distance(start)[None], errors])


@_over_samples
def _feedforward_errors(params: rnn.Params, x: jax.Array) -> jax.Array:
    """Backpropagation goes from the last time step to the first: after k steps, k adjoints stand."""
    run = rnn.forward(params, x)
    adjoint, distance = rnn.adjoint_in_order(params, run), _distance_to_exact(params, x, run)
    left = jnp.arange(x.shape[1])[::-1, None]  # steps to be done before a time's adjoint stands
    return jax.lax.map(lambda k: distance(jnp.where(left < k, adjoint, 0)), jnp.arange(x.shape[1] + 1))


def _distance_to_exact(params: rnn.Params, x: jax.Array, run: rnn.Forward) -> Callable[[jax.Array], jax.Array]:
    """Return a function of the adjoints [1, T, H]: the Euclidean distance of their gradient to the exact one."""
    exact = rnn.gradients(x, run, rnn.adjoint_in_order(params, run))

    def distance(adjoint: jax.Array) -> jax.Array:
        off = jax.tree.map(jnp.subtract, rnn.gradients(x, run, adjoint), exact)
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(off)))

    return distance


_ERRORS = {"jacobi": _jacobi_errors, "feedforward": _feedforward_errors}
