"""A step of training: defined once, compiled by itself and as an interval of many."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax

from ffc.models.base import Batch, Model, Params
from ffc.training.settings import TrainSettings

State = dict[str, Any]  # params, optimizer, ema


def start(model: Model, settings: TrainSettings, key: jax.Array, initial: Params | None = None) -> State:
    """Return the state before the first step: fresh weights, or `initial`."""
    params = jax.jit(model.init)(key) if initial is None else jax.tree.map(jnp.array, initial)
    return {"params": params, "optimizer": _optimizer(settings).init(params), "ema": copy(params)}


def _step(
    model: Model, settings: TrainSettings, state: State, data: Batch, step: jax.Array, rows: jax.Array
) -> tuple[State, jax.Array]:
    """Return the state after a step, and the loss before it; it sees these `rows` of `data`, with a key of its own."""
    batch = replace(data[rows], key=jax.random.fold_in(cast(jax.Array, data.key), step))
    loss, gradient = jax.value_and_grad(model.loss)(state["params"], batch)
    update, optimizer = _optimizer(settings).update(gradient, state["optimizer"])
    params = optax.apply_updates(state["params"], update)
    # The first steps keep less, so that the random start is soon forgotten.
    keep = jnp.minimum(settings.ema, (1 + step) / (10 + step))
    # In this form what does not change (a mask) stays the same to the last bit.
    ema = jax.tree.map(lambda old, new: old + (1 - keep) * (new - old), state["ema"], params)
    return {"params": params, "optimizer": optimizer, "ema": ema}, loss


def _interval(
    model: Model, settings: TrainSettings, state: State, data: Batch, first: jax.Array, batches: jax.Array
) -> tuple[State, jax.Array]:
    """Return the state after the steps `first …`, one for each row of `batches`, and the losses [count] before them."""

    def body(state, batch):
        return _step(model, settings, state, data, *batch)

    return jax.lax.scan(body, state, (first + jnp.arange(len(batches)), batches))


_compiled = partial(jax.jit, static_argnames=("model", "settings"), donate_argnames="state")
single_step, interval = _compiled(_step), _compiled(_interval)


def _optimizer(settings: TrainSettings) -> optax.GradientTransformation:
    clip = optax.identity() if settings.clip is None else optax.clip_by_global_norm(settings.clip)
    return optax.chain(clip, optax.adam(settings.rate))


def copy(tree: Params) -> Params:
    """Return the same values in arrays of their own, as those of a state are given away at each step."""
    return jax.tree.map(jnp.copy, tree)
