"""Values inside `shard_map`: which axes of the mesh they vary over."""

from typing import Any

import jax


def varying(carry: Any, data: Any) -> Any:
    """Inside `shard_map`, a carry that varies over all axes of the mesh that `data` varies over."""
    axes = frozenset().union(*map(_axes, jax.tree.leaves((data, carry))))

    def leaf(value: jax.Array) -> jax.Array:
        missing = tuple(axes - _axes(value))
        return jax.lax.pcast(value, missing, to="varying") if missing else value

    return jax.tree.map(leaf, carry)


def shape_of(value: jax.Array) -> jax.ShapeDtypeStruct:
    """Return shape and dtype of `value`, and over which axes of the mesh it varies."""
    return jax.ShapeDtypeStruct(value.shape, value.dtype, manual_axis_type=jax.typeof(value).manual_axis_type)


def _axes(value: Any) -> frozenset[str]:
    return getattr(getattr(jax.typeof(value), "manual_axis_type", None), "varying", frozenset())
