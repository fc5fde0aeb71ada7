"""On a machine with a GPU: what an iteration of each program takes, as predicted and as measured.

    python tests/gpu/record.py [NAME …]      names of programs.py; all of them where none is given

Weights are random numbers: they decide how many iterations there are, and not what one takes.
"""

import sys

import jax
import launches
import numpy as np
from programs import PROGRAMS

from ffc.core.measure import seconds

#: What a launch takes, in microseconds: the prediction that is tried.
LAUNCH = 2


def drawn(shapes):
    """Numbers of these shapes and types: small ones, as weights are, between 0 and 1, as noise is."""
    draw = np.random.default_rng(0)

    def leaf(shape):
        if isinstance(shape, jax.Array):
            return shape
        floating = jax.dtypes.issubdtype(shape.dtype, np.floating)
        return jax.numpy.asarray(
            0.01 + 0.05 * draw.random(shape.shape) if floating else np.zeros(shape.shape), shape.dtype
        )

    return jax.tree.map(leaf, shapes)


def main(*names: str) -> None:
    if jax.default_backend() != "gpu":
        sys.exit("JAX sees no GPU here: install its build by python3 bootstrap.py --gpu, and unset JAX_PLATFORMS")
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}; µs of an iteration")
    print(f"{'program':28} {'launches':>8} {'predicted':>10} {'measured':>10} {'iterations':>10}")
    for name in names or PROGRAMS:
        count, make = PROGRAMS[name]
        if count > 1:
            continue
        function, arguments = make()
        arguments = drawn(arguments)
        executable = jax.jit(function).lower(*arguments).compile()
        programs = launches.computations(executable.as_text())
        most, _ = launches.iteration(programs)
        found = executable(*arguments)
        iterations = int(np.max(found[1])) if isinstance(found, tuple) and np.ndim(found[1]) == 1 else 1
        took = seconds(lambda run=executable, given=arguments: run(*given), repeats=5).min() / iterations
        print(f"{name:28} {most:8} {LAUNCH * most:10} {1e6 * took:10.0f} {iterations:10}")


if __name__ == "__main__":
    main(*sys.argv[1:])
