"""`check` holds windows, caches included, against sweeps: every model passes, and each fault is found by every seed."""

import itertools
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo

from ffc import FFCError, GSJacobi, Jacobi, System, check, solve
from ffc.core.check_windows import MOST, pairs_of, pairs_to_try
from ffc.models import build, rnn
from ffc.models.densenet import DenseNet
from ffc.models.pixelcnnpp import PixelCNNPP


def test_windows_of_a_model_pass():
    model = build({"kind": "made", "hidden": [8, 8]}, (3, 4, 1))
    system = model.system(jax.jit(model.init)(jax.random.key(0)), model.noise(jax.random.key(1), 2))
    check(system, windows=[(1, 1), (5, 1)])


def every_model():
    key = jax.random.key(1)
    model = build({"kind": "made", "hidden": [16, 16]}, (3, 4, 1))
    yield model.system(model.init(jax.random.key(0)), model.noise(key, 2))
    for coupling, quantize in itertools.product(("gumbel", "inverse_cdf"), ("none", "8bit")):
        model = PixelCNNPP((4, 8, 3), filters=4, resnets=1, mixtures=3)
        params = model.init(jax.random.key(0))
        yield model.system(params, model.noise(key, 2), quantize=quantize, coupling=coupling)
    model = DenseNet(classes=3, growth=2, blocks=(2, 3), features=4)
    yield model.system(model.init(jax.random.key(0)), jax.random.normal(key, (2, 16, 16, 3)))
    params, x = rnn.init(jax.random.key(0), 5, 0.3), jax.random.normal(key, (2, 12))
    yield rnn.hidden_states(params, x)
    yield rnn.adjoint_system(params, rnn.forward(params, x))


@pytest.mark.stress
@pytest.mark.parametrize("number", range(8))
def test_every_model_passes_with_all_its_windows(number):
    check(next(itertools.islice(every_model(), number, None)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Kept(System):
    """x_i = f(u_i + Σ_{j<i} w_ij x_j), by windows that read their past from a cache of what they have seen."""

    weights: jax.Array
    u: jax.Array
    fault: str | None = field(metadata={"static": True}, default=None)

    @property
    def size(self):
        return self.u.shape[1]

    def initial(self):
        return jnp.zeros_like(self.u)

    def sweep(self, x):
        return self.values(self.u, jnp.sum(self.weights * x[:, None, :], axis=2))

    def values(self, u, past):
        return (u + past) % 7 if u.dtype == jnp.int32 else jnp.tanh(u + past)

    def supports_window(self, count, stride):
        return stride == 1

    def init_cache(self, x):
        return {"x": jnp.zeros_like(x), "met": jnp.zeros(len(x), jnp.int32)}

    def window(self, cache, x, start, count, stride):
        block, start, end = jnp.arange(self.size), start[:, None], (start + count)[:, None]
        new = (block >= start - count) & (block < end)
        if self.fault == "stale":
            new &= block >= cache["met"][:, None]
        written = jnp.roll(x, 1, axis=1) if self.fault == "shifted" else x
        kept = jnp.where(new, written, cache["x"])
        index = start + jnp.arange(count)
        place = jnp.minimum(index + 1, self.size - 1) if self.fault == "off by one" else index
        u = jnp.take_along_axis(self.u, place, axis=1)
        values = self.values(u, jnp.sum(self.weights[place] * kept[:, None, :], axis=2))
        return values, {"x": kept, "met": jnp.maximum(cache["met"], end[:, 0])}


def kept(dtype, seed: int, **options) -> Kept:
    sound = zoo.whole_numbers(seed, size=5, density=1) if dtype == jnp.int32 else zoo.tanh(seed, size=5)
    return Kept(sound.weights.astype(dtype), sound.u.astype(dtype), **options)


@pytest.mark.parametrize(
    ("dtype", "seeds", "windows"),
    [
        (jnp.int32, range(2), [(2, 1)]),
        (jnp.float32, range(2), [(2, 1)]),
        pytest.param(jnp.int32, range(40), None, marks=pytest.mark.stress),
        pytest.param(jnp.float32, range(40), None, marks=pytest.mark.stress),
    ],
)
def test_a_window_that_is_no_part_of_the_sweep_is_found_by_every_seed(dtype, seeds, windows):
    for seed in seeds:
        check(kept(dtype, seed), blocks=(), windows=windows, seed=seed)
        for fault in ("shifted", "stale", "off by one"):
            with pytest.raises(FFCError, match="mend the system's window or cache"):
                check(kept(dtype, seed, fault=fault), blocks=(), windows=windows, seed=seed)


def test_the_certificate_alone_believes_a_wrong_window():
    system = kept(jnp.float32, 0, fault="shifted")
    solution = solve(system, GSJacobi(3))
    assert solution.exact
    assert not np.allclose(solution.value, solve(system, Jacobi()).value, atol=1e-3)


def test_of_many_windows_some_are_tried_and_the_seed_decides_which():
    few, many = zoo.unconnected(size=12), zoo.unconnected(size=60, row_length=6)
    every = [*((count, 1) for count in range(1, 13)), (6, 2), (4, 3), (3, 4), (2, 6), (1, 12)]
    assert list(pairs_of(few)) == pairs_to_try(few, np.random.default_rng(0)) == every
    one, two = (pairs_to_try(many, np.random.default_rng(seed)) for seed in (0, 1))
    assert len(one) == len(two) == MOST
    assert one != two
    assert {(1, 1), (6, 1), (60, 1)} <= {*one} & {*two} <= {*pairs_of(many)}
