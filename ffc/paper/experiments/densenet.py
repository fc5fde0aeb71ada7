"""DenseNet inference, layer by layer or by Jacobi over all dense layers, batch 1 (paper, section 4.2)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError
from ffc.core.measure import seconds, timed_repeats
from ffc.core.solution import Solution
from ffc.core.solve import solve
from ffc.core.solvers import Jacobi
from ffc.core.system import State
from ffc.core.verify import verified
from ffc.models import Params, densenet
from ffc.models.densenet import DenseFeatures, DenseNet
from ffc.paper.experiments.job import Job, Way
from ffc.store.records import Record


def prepare(job: Job) -> Callable[[], Record]:
    """Compile what classifies the first `images` test images: in order (`feedforward`), or by Jacobi (`jacobi`)."""
    ways = {"feedforward": _feedforward, "jacobi": _jacobi}
    if job.kind not in ways:
        raise FFCError(f"tasks.{job.task}.solvers.{job.solver}: expected one of {', '.join(ways)}")
    return ways[job.kind](job)


def way(job: Job) -> Way:
    """Return how one image is classified, from its pixels to the logits."""
    checkpoint, x = job.load_checkpoint(), images_of(job)[0]
    model = cast(DenseNet, checkpoint.model)
    system = model.system(checkpoint.params, x)
    if job.kind == "jacobi":
        return Way(_answer, (system,), system.size, 1)
    layers = densenet.prepare(checkpoint.params)
    return Way(lambda *arguments: (model.feedforward(*arguments), None), (layers, x), system.size, 1 / system.size)


def _feedforward(job: Job) -> Callable[[], Record]:
    """Arrays, for M images: `logits` [M, classes], `seconds` [M, R], `layer_seconds` [M, layers] (medians of R)."""
    checkpoint, images = job.load_checkpoint(), images_of(job)
    model, layers = cast(DenseNet, checkpoint.model), densenet.prepare(checkpoint.params)
    network, inputs = jax.jit(model.feedforward), jax.jit(model.layer_inputs)

    def record() -> Record:
        runs = [timed_repeats(partial(network, layers, x), job.repeats) for x in images]
        arrays = {
            "logits": np.concatenate([logits for logits, _ in runs]),
            "seconds": np.stack([took for _, took in runs]),
            "layer_seconds": np.stack([_layer_seconds(inputs(layers, x), job.repeats) for x in images]),
        }
        return job.record(arrays, size=sum(model.blocks), checkpoint=checkpoint.meta)

    network(layers, images[0])
    _layer_seconds(inputs(layers, images[0]), repeats=1)
    return record


def _jacobi(job: Job) -> Callable[[], Record]:
    """Arrays, for M images and L layers; index k of a curve is after k updates, the logits before the next.

    `outputs` [M, L + 1, classes]; `error_l2` [M, L + 1] to the feedforward logits; `change` from the logits
    before; `top5_difference` and `smallest5_difference` [M, L + 1] (see below); `iterations`, `certified`,
    `status`, `max_difference`, `residual` (`ffc.core.verify`, untimed) [M]; `seconds` [M, R] of a solve that stopped by
    itself, from image to logits. Estimated seconds [M], the slowest layer's × iterations, with the layers' times of the
    feedforward record: `estimate_certified`, and `estimate_smallest5`, by the authors' measure of being done.
    """
    checkpoint, images = job.load_checkpoint(), images_of(job)
    system = cast(DenseNet, checkpoint.model).system(checkpoint.params, images[0])

    def record() -> Record:
        reference = job.load_reference()
        truth = reference["logits"]
        runs = [_solve_image(replace(system, x=x), job.repeats) for x in images]
        outputs = np.stack([outputs for outputs, *_ in runs])
        iterations = np.concatenate([solution.iterations for _, solution, *_ in runs])
        arrays = curves(outputs, truth, reference["layer_seconds"]) | {
            "iterations": iterations,
            "certified": np.concatenate([solution.certified for _, solution, *_ in runs]),
            "status": np.array([solution.status[0].name.lower() for _, solution, *_ in runs]),
            "max_difference": np.abs(np.concatenate([logits for *_, logits, _ in runs]) - truth).max(axis=1),
            "residual": np.concatenate([solution.residual for _, solution, *_ in runs]),
            "seconds": np.stack([took for *_, took in runs]),
            "estimate_certified": reference["layer_seconds"].max(axis=1) * iterations,
        }
        return job.record(arrays, size=system.size, checkpoint=checkpoint.meta)

    _solve_image(system, repeats=0)
    return record


def curves(outputs: np.ndarray, truth: np.ndarray, layer_seconds: np.ndarray) -> dict[str, np.ndarray]:
    """Return what follows from the logits `outputs` [M, K, classes] before each update (see the record of Jacobi).

    `truth` [M, classes] are the feedforward logits, `layer_seconds` [M, layers] the time of each layer.
    """
    top5, smallest5 = top5_difference(outputs, truth), smallest5_difference(outputs, truth)
    return {
        "outputs": outputs,
        "error_l2": np.linalg.norm(outputs - truth[:, None], axis=2),
        "change": np.linalg.norm(np.diff(outputs, axis=1, prepend=outputs[:, :1]), axis=2),
        "top5_difference": top5,
        "smallest5_difference": smallest5,
        "estimate_smallest5": layer_seconds.max(axis=1) * settled(smallest5),
        "iterations_smallest5": settled(smallest5),
        "iterations_top5": settled(top5),
    }


def top5_difference(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[M, K] how many of the five largest of `truth` [M, classes] are not among those of `outputs` [M, K, classes]."""
    expected, actual = np.argsort(truth)[:, -5:], np.argsort(outputs)[..., -5:]
    present = (expected[:, None, :, None] == actual[:, :, None, :]).any(axis=3)
    return expected.shape[1] - present.sum(axis=2)


def smallest5_difference(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[M, K] the authors' “top-5”: the five *smallest* logits in order, compared position by position."""
    return (np.argsort(outputs)[..., :5] != np.argsort(truth)[:, None, :5]).sum(axis=2)


def settled(difference: np.ndarray) -> np.ndarray:
    """[M] the first index from which on `difference` [M, K] is zero; the last index if it never is."""
    still = np.cumsum(difference[:, ::-1], axis=1)[:, ::-1] > 0
    return np.minimum(still.sum(axis=1), difference.shape[1] - 1)


def images_of(job: Job) -> list[jax.Array]:
    """Return the images, normalised, a batch of one each."""
    dataset = job.load_data()
    return [densenet.preprocess(image[None]) for image in dataset.test[: job.settings["images"]]]


def _layer_seconds(inputs: list[tuple[Params, jax.Array]], repeats: int) -> np.ndarray:
    """[layers] median seconds of each dense layer by itself, given its weights and input."""
    return np.array([np.median(seconds(partial(_layer, *pair), repeats)) for pair in inputs])


@jax.jit
def _layer(layer: Params, x: jax.Array) -> jax.Array:
    return densenet.dense_layer(layer, x)


def _solve_image(system: DenseFeatures, repeats: int) -> tuple[np.ndarray, Solution, np.ndarray, np.ndarray]:
    """Logits before every update, the certified solution, its logits, and its seconds [repeats]."""
    (logits, solution), took = timed_repeats(partial(_answer, system), repeats)
    return np.asarray(_outputs(system)), verified(system, solution), np.asarray(logits), took


def _answer(system: DenseFeatures) -> tuple[jax.Array, Solution]:
    solution = solve(system, Jacobi())
    return _logits(system, solution.value), solution


@jax.jit
def _logits(system: DenseFeatures, state: State) -> jax.Array:
    return system.logits(state)


@jax.jit
def _outputs(system: DenseFeatures) -> jax.Array:
    """[N + 1, classes] logits of a single image after 0 … N sweeps."""
    state = system.initial()
    last, outputs = jax.lax.scan(lambda x, _: (system.sweep(x), system.logits(x)[0]), state, length=system.size)
    return jnp.concatenate([outputs, system.logits(last)])
