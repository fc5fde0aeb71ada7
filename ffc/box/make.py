"""Put a checkpoint that was trained here into the box: `python -m ffc.box.make NAME CHECKPOINT.flax`.

The checkpoint's data set must be at hand (FFC_DATA), for the loss is measured again after the weights are rounded.
Without a checkpoint, the solvers of an entry race again: after a change to solvers, or on another device.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from ffc.box import FOLDER, about, load
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.named import entry_of, solver_by_name
from ffc.core.solve import solve
from ffc.core.system import indices, select_blocks
from ffc.core.tune import candidates, race
from ffc.data import load as load_data
from ffc.models import Sampler, kind_of
from ffc.models.guess import guess_by_name
from ffc.store import checkpoints
from ffc.store.checkpoints import Checkpoint
from ffc.training.batches import whole
from ffc.training.evaluate import mean_loss

#: Bytes of all models in the box.
LIMIT = 5_000_000
#: What may be done with each data set that models in the box were trained on.
LICENCES = {
    "mnist": "CC BY-SA 3.0; Yann LeCun and Corinna Cortes",
    "cifar10": "none stated; its authors ask to cite Krizhevsky, Learning Multiple Layers of Features, 2009",
}
LICENCES["cifar10-jpeg"] = LICENCES["cifar10"]
#: Facts of a trained checkpoint that the box keeps.
_KEPT = ("train", "seed", "seconds", "device", "versions")
#: Samples that the fastest solver was chosen for, and levels that are kept of a sample.
_BATCH, _LEVELS = 4, 64
#: Seeds that are tried for a sample without ties.
_SEEDS = 10
_TEST_BATCH = 100


def make(name: str, checkpoint: Path) -> None:
    """Write the entry `name`. `FFCError` where the checkpoint does not say how it was trained, or is too large."""
    trained = checkpoints.load(checkpoint)
    facts = trained.meta
    if facts["origin"] != "trained" or not isinstance(trained.model, Sampler):
        raise FFCError(f"{checkpoint}: only samplers that were trained here, with the .json beside, go into the box")
    source = facts["data"]["name"]
    if source not in LICENCES:
        raise FFCError(
            f"{checkpoint}: trained on {source}, whose licence is not known; add it to LICENCES in ffc/box/make.py"
        )
    rounded = _rounded(trained)
    entry = {name: facts[name] for name in _KEPT if name in facts} | {
        **history(facts),
        "origin": "box",
        "data": facts["data"] | {"licence": LICENCES[source]},
        "command": command(name, trained),
        "sampling": fastest(rounded),
    }
    entry["metrics"]["test_loss"] = _test_loss(rounded, source)
    entry["drawn"] = _drawn(rounded, entry["sampling"])
    checkpoints.save(FOLDER / f"{name}.flax", trained.model, trained.params, entry, compact=True)
    size = sum(file.stat().st_size for file in FOLDER.glob("*.flax"))
    if size > LIMIT:
        raise FFCError(f"the box holds {size:,} bytes now, and {LIMIT:,} are the limit; take {name} out again")
    print(f"{name}: {about(name)['metrics']}; {size:,} bytes in the box")


def again(name: str) -> None:
    """Have the solvers of the entry `name` race again, and keep what the winner draws."""
    loaded, entry = load(name), about(name)
    sampling = fastest(loaded)
    entry |= {"sampling": sampling, "drawn": _drawn(loaded, sampling)}
    checkpoints.save(FOLDER / f"{name}.flax", loaded.model, loaded.params, entry, compact=True)
    print(f"{name}: {sampling}")


def history(facts: dict[str, Any]) -> dict[str, Any]:
    """Return `metrics` and `curves` of training, counted from its first step: with the weights that it began with."""
    start = dict(facts.get("start", {}))
    before, earlier = start.get("metrics", {}).get("best_step", 0), start.pop("curves", {})
    metrics, own = facts["metrics"], facts["curves"]
    own = own | {"step": [before + step for step in own["step"]]}
    count = sum(step <= before for step in earlier.get("step", []))
    return {
        "metrics": {name: metrics[name] + before for name in ("steps", "best_step")} | {"unit": metrics["unit"]},
        "curves": {name: [*earlier.get(name, [])[:count], *values] for name, values in own.items()},
        **({"start": start} if start else {}),
    }


def command(name: str, trained: Checkpoint) -> str:
    """Return the command that trains such weights; with the one before, of the weights that they began with."""
    sizes = {size: value for size, value in vars(trained.model).items() if size != "shape"}
    words = [f"--set {size}={_word(value)}" for size, value in sizes.items()]
    words += [f"--{option.replace('_', '-')} {_word(value)}" for option, value in trained.meta["train"].items()]
    kind, data = kind_of(trained.model), trained.meta["data"]["name"]
    earlier = []
    if "start" in trained.meta:
        if "command" not in (start := trained.meta["start"]):
            raise FFCError(f"{name}: began with {start['file']}, whose command is not known; begin with one of the box")
        # A name of its own for each link of the chain.
        first = f"{name}-{start['command'].count(' && ') + 1}.flax"
        earlier, words = (
            [start["command"].replace(f"--out {name}.flax", f"--out {first}")],
            [*words, f"--start {first}"],
        )
    last = " ".join(["ffc train", kind, data, *words, f"--seed {trained.meta['seed']}", f"--out {name}.flax"])
    return " && ".join([*earlier, last])


def fastest(checkpoint: Checkpoint) -> dict[str, Any]:
    """Options of `ffc sample`: 8-bit where the model can, and the solver that wins a race over whole samples here.

    Windows of 8-bit images begin as the row above, which saves iterations.
    """
    model = cast(Sampler, checkpoint.model)
    options, guess = ({"quantize": "8bit"}, "row_above") if "quantize" in model.options else ({}, "zeros")
    system = model.system_with(options, checkpoint.params, model.noise(key_of(0), _BATCH))
    winner = race(system, candidates(system), guess_by_name(guess, model, system), share=1)[0].solver
    return options | {"guess": guess} | entry_of(winner, system)


def levels(
    checkpoint: Checkpoint, sampling: dict[str, Any], seed: int, blocks: int | None = None
) -> tuple[np.ndarray, int]:
    """[64] uint8 levels, spread over the leading blocks of the sample that `seed` gives; how many blocks they are.

    They are `blocks`, or as many as another processor would decide alike: those before the first tie.
    """
    model = cast(Sampler, checkpoint.model)
    options = {name: value for name, value in sampling.items() if name in model.options}
    words = {name: value for name, value in sampling.items() if name not in (*options, "solver", "guess")}
    system = model.system_with(options, checkpoint.params, model.noise(key_of(seed), 1))
    guess = guess_by_name(sampling["guess"], model, system)
    solver = solver_by_name(sampling["solver"], system, x0=guess, **words)
    solution = solve(system, solver, guess, max_iterations=blocks)  # each of which settles a block at least
    ties = np.flatnonzero(system.ties(solution.value)[0])
    blocks = blocks or int(min(ties, default=system.size))
    state = select_blocks(indices(system.size)[None] < blocks, solution.value, jax.tree.map(_unknown, solution.value))
    picture = np.ravel(model.pictures(model.samples(state)))
    shown = picture[np.isfinite(picture)]
    return np.round(255 * shown[:: max(1, shown.size // _LEVELS)][:_LEVELS]).astype(np.uint8), blocks


def _unknown(leaf: jax.Array) -> jax.Array:
    return jnp.full_like(leaf, jnp.nan)


def _drawn(checkpoint: Checkpoint, sampling: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be drawn again: of some samples, the one whose first tie comes last."""
    drawn = {seed: levels(checkpoint, sampling, seed) for seed in range(_SEEDS)}
    seed, (values, blocks) = max(drawn.items(), key=lambda entry: entry[1][1])
    return {"seed": seed, "blocks": blocks, "levels": values.tobytes().hex()}


def _rounded(trained: Checkpoint) -> Checkpoint:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rounded.flax"
        checkpoints.save(path, trained.model, trained.params, {}, compact=True)
        return checkpoints.load(path)


def _test_loss(checkpoint: Checkpoint, source: str) -> float:
    return mean_loss(checkpoint.model, checkpoint.params, whole(load_data(source), "test"), _TEST_BATCH)


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m ffc.box.make", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("name")
    parser.add_argument("checkpoint", type=Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.checkpoint:
        make(arguments.name, arguments.checkpoint)
    else:
        again(arguments.name)
