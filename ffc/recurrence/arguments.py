"""What a recurrence is made of, looked at before anything runs: each mistake is one sentence that names it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError


def time_length(inputs: Any) -> int:
    """T, from the leaves [batch, T, ...] of `inputs`, or `FFCError` where they have none in common."""
    leaves = jax.tree.leaves(inputs)
    if not leaves:
        raise FFCError("inputs: no array among them; give one with a time axis, [batch, T, ...], if only zeros")
    shapes = [tuple(np.shape(leaf)) for leaf in leaves]
    for shape in shapes:
        if len(shape) < 2:
            raise FFCError(f"inputs: a leaf of the shape {shape} has no time axis; give leaves [batch, T, ...]")
    if len({shape[1] for shape in shapes}) > 1:
        raise FFCError(f"inputs: leaves of the shapes {shapes} differ in their length T (axis 1); give all one length")
    return shapes[0][1]


def check(step: Any, weights: Any, inputs: Any, start: Any) -> None:
    """`FFCError` unless `step` takes states like `start` and `inputs` at one time to states of that shape and dtype."""
    if time_length(inputs) == 0:
        raise FFCError("inputs: their length T is 0; give one time step at least")
    if not jax.tree_util.all_leaves([start]):
        raise FFCError(f"start: it is a {type(start).__name__}; join its arrays to one, [batch, H]")
    shape, dtype = np.shape(start), jnp.result_type(start)
    if len(shape) != 2:
        raise FFCError(f"start: it has the shape {shape}; give the first state of each sample, [batch, H]")
    batches = {np.shape(leaf)[0] for leaf in jax.tree.leaves(inputs)}
    if batches != {shape[0]}:
        raise FFCError(f"inputs: batches of {sorted(batches)} samples, and start has {shape[0]}; give one batch")
    after = _shape_after(step, weights, inputs, start)
    if not hasattr(after, "shape") or (after.shape, after.dtype) != (shape, dtype):
        found = f"{after.dtype}{list(after.shape)}" if hasattr(after, "shape") else type(after).__name__
        raise FFCError(f"step: it returns {found} for states {dtype}{list(shape)}; let it keep their shape and dtype")


def check_differentiable(recurrence: Any) -> None:
    """`FFCError` unless JAX finds forward derivatives of the step of `recurrence` by the state."""
    leaves, tree = jax.tree.flatten(recurrence)
    _check_differentiable(tree, tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves))


@functools.lru_cache(maxsize=1024)
def _check_differentiable(tree: Any, kinds: tuple[tuple[tuple[int, ...], Any], ...]) -> None:
    recurrence = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    step, start = recurrence.step, recurrence.start
    way_out = "give InOrder(), Chunks(…) or a solver of solve"
    kind = start.dtype
    if not jnp.issubdtype(kind, jnp.floating):
        raise FFCError(f"start: states are {kind}, which have no derivative; {way_out}, or make them floating-point")

    def along(weights, inputs, start):
        return jax.jvp(lambda x: step(weights, x, inputs), (start,), (start,))

    try:
        jax.eval_shape(along, recurrence.weights, _first(recurrence.inputs), start)
    except Exception as error:
        raise FFCError(f"step: it cannot be differentiated ({_line(error)}); {way_out}") from error


def _shape_after(step: Any, weights: Any, inputs: Any, start: Any) -> Any:
    try:
        return jax.eval_shape(step, weights, start, _first(inputs))
    except Exception as error:
        raise FFCError(
            f"step: it fails on states {list(np.shape(start))} and inputs at one time ({_line(error)}); "
            "let it take (weights, states [..., H], inputs)"
        ) from error


def _first(inputs: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((leaf.shape[0], *leaf.shape[2:]), leaf.dtype), inputs)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
