"""What drafted windows come to on a transformer: python docs/examples/tokens.py CHECKPOINT [WIDTH:DEPTH …]

Each network draws the same samples by the cached sequential sampler and by windows, in turn, in one process. With
WIDTH:DEPTH, the network of the checkpoint is made wider and deeper by weights that are zero: it computes what it did,
at the cost of a network of that size.
"""

import sys
import time

import jax
import numpy as np

from ffc import GSJacobi, Jacobi, Sequential, solve
from ffc.core.keys import key_of
from ffc.models.transformer.widen import grown
from ffc.store import checkpoints

WINDOWS, TEMPERATURES, SAMPLES, TURNS = (4, 8, 16, 32), (1.0, 0.5), 3, 3


def iterations_and_seconds(system, solvers):
    """Of each solver: iterations and the least seconds of some turns; all give the first one's tokens."""
    answer, found = None, {}
    for name, solver in solvers.items():
        solution = solve(system, solver, verify=True)
        answer = solution.value if answer is None else answer
        assert solution.exact, solution.message
        assert solution.verification.proven.all()
        assert (solution.value == answer).all()
        found[name] = [int(solution.iterations[0]), float("inf")]
    for _ in range(TURNS):
        for name, solver in solvers.items():
            begun = time.perf_counter()
            jax.block_until_ready(solve(system, solver).value)
            found[name][1] = min(found[name][1], time.perf_counter() - begun)
    return found


def table(model, params, sweeps):
    for temperature in TEMPERATURES:
        total = {}
        for seed in range(SAMPLES):
            system = model.system(params, model.noise(key_of(seed), 1), temperature=temperature)
            draft = system.draft()
            solvers = {"cached": Sequential(cached=True), f"window {WINDOWS[1]}": GSJacobi(WINDOWS[1])}
            solvers |= {"Jacobi": Jacobi(), "Jacobi, drafted": Jacobi(draft=draft)} if sweeps else {}
            solvers |= {f"window {w}, drafted": GSJacobi(w, draft=draft) for w in WINDOWS}
            for name, pair in iterations_and_seconds(system, solvers).items():
                total[name] = np.add(total.get(name, 0), pair)
        steps, seconds = total["cached"]
        for name, (iterations, took) in total.items():
            told = f"{iterations / SAMPLES:6.1f} iterations, {steps / iterations:5.2f}x fewer"
            print(f"  temperature {temperature:g}, {name:<19} {told}; {took / SAMPLES:.4f} s, {seconds / took:.2f}x")


def main(path, *sizes):
    checkpoint = checkpoints.load(path)
    model, params = checkpoint.model, checkpoint.params
    print(
        checkpoint.meta["data"]["title"], checkpoint.meta["metrics"]["test_loss"], model, jax.devices()[0].device_kind
    )
    table(model, params, sweeps=True)
    for size in sizes:
        width, depth = map(int, size.split(":"))
        print(f"width {width}, depth {depth}", flush=True)
        table(*grown(model, params, width, depth), sweeps=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
