"""What a recurrence is made of, looked at before anything runs: each mistake is one sentence that names it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffc.core.errors import FFCError, reason_of
from ffc.core.system import described


def time_length(inputs: Any) -> int:
    """T, from the leaves [batch, T, ...] of `inputs`, or `FFCError` where they have none in common."""
    shapes = [tuple(np.shape(leaf)) for leaf in jax.tree.leaves(inputs)]
    if not shapes or min(map(len, shapes)) < 2 or len({shape[1] for shape in shapes}) > 1:
        raise FFCError(f"inputs: leaves of the shapes {shapes}; give leaves [batch, T, ...] with one T, if only zeros")
    return shapes[0][1]


def check(step: Any, weights: Any, inputs: Any, start: Any) -> None:
    """`FFCError` unless `step` takes states like `start` and `inputs` at one time to states of that kind."""
    if time_length(inputs) == 0:
        raise FFCError("inputs: their length T is 0; give one time step at least")
    leaves = jax.tree.leaves(start)
    if not leaves or min(map(np.ndim, leaves)) < 2:
        raise FFCError(f"start: it is {described(start)}; give each number of a state an axis: leaves [batch, H, ...]")
    if len(kinds := {str(jnp.result_type(leaf)) for leaf in leaves}) > 1:
        raise FFCError(f"start: it holds {' and '.join(sorted(kinds))}; let its arrays have one dtype")
    batches, batch = ({np.shape(leaf)[0] for leaf in jax.tree.leaves(tree)} for tree in (inputs, start))
    if batches != batch or len(batch) > 1:
        raise FFCError(f"inputs: batches of {sorted(batches)} samples, and start has {sorted(batch)}; give one batch")
    after = _after(step, weights, inputs, start)
    if (expected := described(start)) != (returned := described(after)):
        raise FFCError(
            f"step: it returns {returned} for states {expected}; let it keep their structure, shape and dtype"
        )


def check_differentiable(recurrence: Any) -> None:
    """`FFCError` unless JAX finds forward derivatives of the step of `recurrence` by the state."""
    leaves, tree = jax.tree.flatten(recurrence)
    _check_differentiable(tree, tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves))


@functools.lru_cache(maxsize=1024)
def _check_differentiable(tree: Any, kinds: tuple[tuple[tuple[int, ...], Any], ...]) -> None:
    recurrence = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*kind) for kind in kinds])
    way_out = "leave the draft out"
    kind = jnp.result_type(jax.tree.leaves(recurrence.start)[0])
    if not jnp.issubdtype(kind, jnp.floating):
        raise FFCError(f"start: states are {kind}, which have no derivative; {way_out}, or make them floating-point")

    def along(weights, inputs, start):
        return jax.jvp(lambda x: recurrence.step(weights, x, inputs), (start,), (start,))

    try:
        jax.eval_shape(along, recurrence.weights, _first(recurrence.inputs), recurrence.start)
    except Exception as error:
        raise FFCError(f"step: it cannot be differentiated ({reason_of(error)}); {way_out}") from error


def _after(step: Any, weights: Any, inputs: Any, start: Any) -> Any:
    try:
        return jax.eval_shape(step, weights, start, _first(inputs))
    except Exception as error:
        raise FFCError(
            f"step: it fails on states {described(start)} and inputs at one time ({reason_of(error)}); "
            "let it take (weights, states, inputs), with any leading axes"
        ) from error


def _first(inputs: Any) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((leaf.shape[0], *leaf.shape[2:]), leaf.dtype), inputs)
