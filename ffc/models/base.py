"""What every model offers: sizes in a frozen dataclass, weights in a pytree beside it.

A model of your own subclasses `Model` (or `Sampler`, where it draws samples), and a preset names it as
`kind: package.module:Class`.
"""

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ffc.core.errors import FFCError
from ffc.core.keys import key_of, reproducible
from ffc.core.system import System
from ffc.models.kinds import Option

Params = Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Batch:
    """The images of a loss, and how it is taken; `batch[rows]` has some of its images. Arrays of NumPy serve, too.

    With a `key`, dropout and dequantisation are random; without one the loss is deterministic. The network computes in
    `dtype` (float32 or bfloat16), what becomes of its outputs in float32.
    """

    images: jax.Array  # [batch, height, width, channels] uint8
    labels: jax.Array | None = None  # [batch] int32, for classifiers
    key: jax.Array | None = None
    dtype: Any = dataclasses.field(default=jnp.float32, metadata={"static": True})

    def __getitem__(self, rows: Any) -> "Batch":
        labels = None if self.labels is None else self.labels[rows]
        return dataclasses.replace(self, images=self.images[rows], labels=labels)

    def dequantised(self) -> jax.Array:
        """Each byte of the images as a number within its level: uniform with a key, the middle without."""
        noise = 0.5 if self.key is None else jax.random.uniform(self.key, self.images.shape, jnp.float32)
        return self.images.astype(jnp.float32) + noise


class Model:
    """A trainable network. Subclasses are frozen dataclasses whose fields are its sizes."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]
    kind: ClassVar[str]
    #: What `loss` is measured in: "bits/dim", "nats".
    unit: ClassVar[str]

    @classmethod
    def build(cls, shape: tuple[int, int, int], classes: int | None, **sizes: Any) -> "Model":
        """Return the model for images of `shape` (height, width, channels), with the sizes that a preset names.

        As it is, `shape` is a field of the class.
        """
        return cls(shape=shape, **sizes)  # type: ignore[call-arg]

    def init(self, key: jax.Array) -> Params:
        """Fresh weights: a pytree of float32 arrays with the layout of the released checkpoints."""
        raise NotImplementedError(f"{type(self).__name__} has no init()")

    def loss(self, params: Params, batch: Batch) -> jax.Array:
        """Mean training loss of a batch, a float32 scalar in `unit`."""
        raise NotImplementedError(f"{type(self).__name__} has no loss()")

    def test_loss(self, params: Params, batch: Batch) -> jax.Array:
        """Mean loss of a batch without a key, by weights that `finish` returned: a scalar in `unit`."""
        return self.loss(params, batch)

    def grown(self, smaller: "Model", params: Params, key: jax.Array) -> Params:
        """Return the weights `params` of a `smaller` model as weights of this one, with the same outputs.

        `key` draws what is new. `FFCError` where this model is no larger one of the kind.
        """
        raise FFCError(f"these are weights of {smaller}, and what is trained is {self}; let them agree")

    def shapes(self) -> Params:
        """Return the tree of weights with shapes (`jax.ShapeDtypeStruct`) in place of arrays."""
        return jax.eval_shape(self.init, key_of(0))

    def check(self, params: Params) -> None:
        """`FFCError` unless `params` has the names and shapes of this model's weights."""
        _compare(params, self.shapes(), ())

    def bare(self, params: Params) -> Params:
        """`params` without what the sizes decide: the least that `complete` makes them from again."""
        return params

    def complete(self, params: Params) -> Params:
        """`params` with what the sizes decide, where a file leaves it out; anything else is left to `check`."""
        return params

    def check_images(self, images: np.ndarray) -> None:
        """`FFCError` unless `images` [count, height, width, channels] uint8 can be trained on, by their numbers."""

    def finish(self, params: Params, images: jax.Array) -> Params:
        """Return the weights after training: `params`, with statistics of the `images` if the model keeps any."""
        return params


class Sampler(Model):
    """An autoregressive model: it turns noise into samples by solving a triangular system."""

    #: Keyword arguments of `system` that change the system: words that each may be, of which the first is the default;
    #: or a `Number` or `Text`.
    options: ClassVar[dict[str, Option]] = {}

    def default_options(self) -> dict[str, str]:
        """Return what `system` is without `options`."""
        options = self.options.items()
        return {name: option[0] if isinstance(option, tuple) else option.default for name, option in options}

    def noise(self, key: jax.Array, batch: int) -> jax.Array:
        """Return what a batch of samples is made from: [batch, …] float32, one row for each sample."""
        raise NotImplementedError(f"{type(self).__name__} has no noise()")

    def check_noise(self, u: ArrayLike) -> jax.Array:
        """`u` in the layout of `noise`, or `FFCError` if its shape or range does not fit the model.

        As it is, any finite floating-point numbers of that shape will do.
        """
        u, like = np.asarray(u), jax.eval_shape(lambda: self.noise(key_of(0), 1))
        if u.ndim != like.ndim or u.shape[1:] != like.shape[1:]:
            sizes = ", ".join(map(str, ("batch", *like.shape[1:])))
            raise FFCError(f"noise u has the shape {u.shape}; this {type(self).__name__} takes ({sizes})")
        if not np.issubdtype(u.dtype, np.floating) or not np.all(np.isfinite(u)):
            raise FFCError("noise u must hold finite floating-point numbers, as the model's noise() draws")
        return jnp.asarray(u, like.dtype)

    def system(self, params: Params, u: jax.Array) -> System:
        """Return the triangular system whose solution is the samples; weights are prepared here, once."""
        raise NotImplementedError(f"{type(self).__name__} has no system()")

    def system_with(self, options: dict[str, Any], params: Params, u: jax.Array) -> System:
        """`system` with some of `options`, or `FFCError` where the model doesn't have them."""
        values: dict[str, Any] = {}
        for name, value in options.items():
            if name not in self.options:
                raise FFCError(
                    f"system option {name}: {self.kind} has none of that name; "
                    + (f"it has {', '.join(self.options)}" if self.options else "leave it out")
                )
            option = self.options[name]
            values[name] = value if isinstance(option, tuple) else option.read(name, value)
            if isinstance(option, tuple) and value not in option:
                raise FFCError(f"system option {name}: {value!r} is unknown; {self.kind} takes {', '.join(option)}")
        return self.system(params, u, **values)

    def samples(self, x: Any) -> jax.Array:
        """Return a state of `system`, as the samples that the model produces."""
        raise NotImplementedError(f"{type(self).__name__} has no samples()")

    @property
    def black(self) -> float:
        """The value that an entry of a state has where its image is black."""
        raise NotImplementedError(f"{type(self).__name__} has no black")

    @property
    def has_pictures(self) -> bool:
        """True of a class that says how its samples look (`pictures`), if they are gray or RGB."""
        return type(self).pictures is not Sampler.pictures and getattr(self, "shape", (1,))[-1] in (1, 3)

    def pictures(self, samples: ArrayLike) -> jax.Array:
        """Return samples as images to look at: [batch, height, width, channels] float32 in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} has no pictures()")

    def text(self, samples: ArrayLike) -> list[str]:
        """Return samples as texts to read; none where they are something else."""
        return []


class Normal(NamedTuple):
    """Stands for an array of fresh weights: its shape, and the standard deviation of its N(0, σ²)."""

    shape: tuple[int, ...]
    deviation: float


@reproducible
def draw(key: jax.Array, tree: Params) -> Params:
    """`tree` with float32 weights in place of each `Normal`.

    They are pieces of one draw, because separate draws would take XLA seconds to compile.
    """
    nodes, structure = jax.tree.flatten(tree, is_leaf=lambda node: isinstance(node, Normal))
    sizes = [math.prod(node.shape) if isinstance(node, Normal) else 0 for node in nodes]
    pieces = jnp.split(jax.random.normal(key, (sum(sizes),), jnp.float32), np.cumsum(sizes)[:-1])
    filled = [
        node.deviation * piece.reshape(node.shape) if isinstance(node, Normal) else node
        for node, piece in zip(nodes, pieces, strict=True)
    ]
    return jax.tree.unflatten(structure, filled)


def cast(tree: Params, dtype: Any) -> Params:
    """`tree` with its arrays in `dtype`. Gradients come back in the type of the original."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)


def _compare(actual: Any, expected: Any, path: tuple[str, ...]) -> None:
    where = ".".join(path) or "the tree of weights"
    if not isinstance(expected, dict):
        if isinstance(actual, dict) or np.shape(actual) != expected.shape:
            shape = "is a layer" if isinstance(actual, dict) else f"has the shape {np.shape(actual)}"
            raise FFCError(f"{where} {shape}; expected the shape {expected.shape}")
        return
    if not isinstance(actual, dict):
        raise FFCError(f"{where} is an array; expected a layer that holds {', '.join(expected)}")
    wrong = {"lacks": expected.keys() - actual.keys(), "has unknown": actual.keys() - expected.keys()}
    for problem, names in wrong.items():
        if names:
            raise FFCError(f"{where} {problem} {', '.join(sorted(map(str, names))[:5])}")
    for name, child in expected.items():
        _compare(actual[name], child, (*path, name))
