"""PixelCNN++'s drafts: the cached sampler's samples in fewer iterations, from constants of the weights."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zoo
from places import GOLDEN

from ffc import FFCError, GSJacobi, Jacobi, RowAbove, Sequential, solve
from ffc.core import tune
from ffc.core.named import entry_of, solver_by_name
from ffc.models.pixelcnnpp import PixelCNNPP, mixture
from ffc.models.pixelcnnpp.coupling import InverseCDF
from ffc.store import checkpoints

SMALL = PixelCNNPP((4, 4, 3), filters=4, resnets=1, mixtures=3)


def small(coupling="gumbel", quantize="8bit", batch=2):
    params = jax.tree.map(lambda leaf: 2 * leaf, SMALL.init(jax.random.key(0)))
    return SMALL.system(params, SMALL.noise(jax.random.key(1), batch), quantize, coupling)


@pytest.fixture(scope="module")
def draft():
    return small().draft()


@pytest.mark.parametrize(
    ("coupling", "window", "together"),
    [
        ("gumbel", 4, False),
        pytest.param("inverse_cdf", 8, True, marks=pytest.mark.stress),
        pytest.param("gumbel", 2, True, marks=pytest.mark.stress),
        pytest.param("gumbel", 8, False, marks=pytest.mark.stress),
        pytest.param("inverse_cdf", 4, False, marks=pytest.mark.stress),
    ],
)
def test_drafted_windows_draw_the_cached_samplers_samples(draft, coupling, window, together):
    system = small(coupling)
    solution = solve(system, GSJacobi(window, draft=draft, together=together), guess=RowAbove())
    assert solution.exact
    np.testing.assert_array_equal(solution.value, solve(system, Sequential(cached=True)).value)
    assert solution.iterations.max() < system.size


@pytest.mark.stress
def test_sweeps_take_the_draft(draft):
    system = small()
    solution = solve(system, Jacobi(draft=draft))
    assert solution.exact
    np.testing.assert_array_equal(solution.value, solve(system, Jacobi()).value)


@pytest.mark.stress
def test_natural_images_take_far_fewer_iterations():
    checkpoint = checkpoints.load(GOLDEN / "pixelcnnpp_rgb32.flax")
    model = replace(checkpoint.model, shape=(8, 16, 3))
    system = model.system(checkpoint.params, model.noise(jax.random.key(3), 1), "8bit")
    drafted = solve(system, GSJacobi(16, draft=system.draft()), guess=RowAbove())
    plain = solve(system, GSJacobi(16), guess=RowAbove())
    np.testing.assert_array_equal(drafted.value, plain.value)
    assert drafted.exact
    assert drafted.iterations[0] < plain.iterations[0] / 2


def test_the_constants_are_the_mean_changes_by_offset(draft):
    """Each pixel of a row moved by a level, one after the other: here rows are so short that none is felt twice."""
    system = small(batch=1)
    noise = jax.tree.map(lambda noise: jnp.flip(noise, axis=1), system.coupling)
    image = solve(replace(system, coupling=noise), Sequential(cached=True)).value
    outputs = jax.jit(lambda x: system.sweep_outputs(x)[1][0].reshape(4, 4, -1))
    changes = np.zeros((3, 3, 30))
    for k, channel in np.ndindex(3, 3):
        pairs = [(row, t) for row in (1, 2, 3) for t in range(k + 1, 4)]
        for row, t in pairs:
            moved = image.at[0, 4 * row + t - k - 1, channel].add(1 / 127.5)
            changes[k, channel] += 127.5 * (outputs(moved) - outputs(image))[row, t] / len(pairs)
    np.testing.assert_allclose(draft.left, changes, atol=0.01 * np.abs(changes).max())


def test_a_draft_searches_in_fewer_operations_for_the_same_levels():
    noise = InverseCDF(jax.random.uniform(jax.random.key(5), (500, 3)), mixture.EIGHT_BIT)
    outputs = jax.random.normal(jax.random.key(6), (500, 50)).at[:, 5:].multiply(1.5)
    assert jnp.mean(noise.likely(outputs) != noise.pixels(outputs)) < 0.01


def test_names_know_drafts():
    system = small()
    solver = solver_by_name("gs_jacobi", system, draft=True)
    assert solver.window == 4  # a row
    assert entry_of(solver, system) == {"solver": "gs_jacobi", "window": 1, "draft": True}
    solver = solver_by_name("gs_jacobi", system, "2 blocks", draft=solver.draft, together=True)
    assert entry_of(solver, system) == {"solver": "gs_jacobi", "window": "2 blocks", "draft": True, "together": True}
    assert repr(solver) == "GSJacobi(window=2, cached=True, draft=LinearOutputs(neighbours=3), together=True)"
    assert entry_of(solver_by_name("jacobi", system, draft=solver.draft), system) == {"solver": "jacobi", "draft": True}


def test_races_hold_drafted_windows():
    drafted = [s for s in tune.candidates(small()) if getattr(s, "draft", None) is not None]
    assert [(s.window, s.together) for s in drafted] == [(4, False), (4, True), (2, False), (8, False), (8, True)]
    assert not any(s.together for s in tune.drafted(small(batch=1), drafted[0].draft))
    assert all(getattr(s, "draft", None) is None for s in tune.candidates(small(quantize="none")))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "cached", "draft": True}, "draft: cached takes none; it belongs to jacobi and gs_jacobi"),
        ({"name": "auto", "draft": True}, "draft: auto takes none"),
        ({"name": "jacobi", "together": True}, "together: jacobi has no windows that move"),
    ],
)
def test_solvers_that_take_no_draft_are_named(options, expected):
    with pytest.raises(FFCError, match=expected):
        solver_by_name(system=small(), **options)


def test_systems_without_a_draft_are_named(draft):
    for system in (small(quantize="none"), zoo.chain()):
        with pytest.raises(
            FFCError, match=r"draft: this system offers none; PixelCNN\+\+ does where pixels are rounded"
        ):
            solver_by_name("gs_jacobi", system, draft=True)
    with pytest.raises(FFCError, match=r"draft: LinearOutputs is one for PixelCNN\+\+, not for WholeNumbers"):
        solve(zoo.chain(), GSJacobi(4, draft=draft))
