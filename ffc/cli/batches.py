"""Many batches of samples, drawn on all devices, each written to a folder as soon as it is there.

    settings.json       what all batches have in common
    batch_000000.npz    a `Record` of batch 0: samples, iterations, certified, status, ties, residual …
    summary.json        what became of all samples; written last

The noise of a batch comes from the seed and the batch's index, and whole batches go to one device each. So a batch
is the same file, byte for byte, wherever and in whichever sitting it was drawn. Files appear under their names when
they are whole: what a killed run left is what the next one goes on from. In memory are the batches that devices are at,
however many there are.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
from tqdm import tqdm

from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.named import entry_of, solver_by_name
from ffc.core.solution import NOT_VERIFIED, Status, describe, describe_verification
from ffc.core.solve import solve
from ffc.core.solvers import WORDS, Solver
from ffc.core.system import System
from ffc.core.verify import facts
from ffc.models import Sampler
from ffc.models.guess import guess_by_name
from ffc.store.checkpoints import Checkpoint
from ffc.store.locks import alone
from ffc.store.records import Record, provenance, write_bytes

SETTINGS, SUMMARY, BATCH = "settings.json", "summary.json", "batch_{:06}.npz"
#: What the summary counts.
_COUNTED = {"status", "iterations", "ties", "proven", "corrected"}
#: Variables of the environment that may change the last bits of numbers, and flags among them that change none.
ARITHMETIC = (
    *("JAX_ALLOW_F16_REDUCTIONS", "JAX_DISABLE_JIT", "JAX_DISABLE_MOST_OPTIMIZATIONS", "JAX_ENABLE_X64"),
    *("JAX_OPTIMIZATION_LEVEL", "NVIDIA_TF32_OVERRIDE", "XLA_FLAGS"),
)
HARMLESS = ("--xla_force_host_platform_device_count", "--xla_dump")


@dataclass(frozen=True)
class Source:
    """A model's weights, and how batches are drawn: by the words of a command, all that decide it."""

    checkpoint: Checkpoint
    words: dict[str, Any]

    @property
    def model(self) -> Sampler:
        return cast(Sampler, self.checkpoint.model)

    def settings(self) -> dict[str, Any]:
        """All that decides the bits of a batch but its index, JSON-able."""
        flags = {name: os.environ.get(name, "").split() for name in ARITHMETIC}
        arithmetic = {name: [flag for flag in flags[name] if not flag.startswith(HARMLESS)] for name in flags}
        weights = {"model": repr(self.model), "weights": self.checkpoint.meta["sha256"]}
        return json.loads(json.dumps(weights | {"arithmetic": arithmetic} | self.words | provenance()))

    def system_of(self, index: int, params: Any) -> tuple[System, Any]:
        """Return the system of batch `index`, and where its iterations begin."""
        noise = self.model.noise(jax.random.fold_in(key_of(self.words["seed"]), index), self.words["batch"])
        system = self.model.system_with(self.words["system"], params, noise)
        return system, guess_by_name(self.words["guess"], self.model, system)

    def solver(self, params: Any, solver: str, **options: Any) -> tuple[Solver, dict[str, Any]]:
        """Return the solver of all batches, and its entry in a preset: what batch 0 drafts, or a race on it chooses."""
        system, guess = self.system_of(0, params)
        chosen = solver_by_name(solver, system, x0=guess, **options)
        return chosen, entry_of(chosen, system)

    def draw(self, index: int, params: Any, solver: Solver) -> dict[str, np.ndarray]:
        """Return what is kept of batch `index`."""
        system, guess = self.system_of(index, params)
        solution = solve(system, solver, x0=guess, verify=self.words["verify"])
        return {"samples": np.asarray(self.model.samples(solution.value)), **facts(system, solution)}


def draw(source: Source, folder: Path, batches: int, quiet: bool = False) -> tuple[bool, str]:
    """Draw those of the batches 0 … `batches` − 1 that `folder` lacks.

    Returns whether every sample there is certified whole; and how all ended, with the number of new ones. Raises
    `FFCError` where the folder was begun with other settings, holds other files, or is being written to.
    """
    with alone(folder) as held:
        for file in (*folder.glob(".batch_*.npz.*"), *folder.glob(".s*.json.*")) if held else ():
            file.unlink()  # what a killed run was writing
        settings = _begin(folder, source, batches)
        missing = [index for index in range(batches) if not (folder / BATCH.format(index)).exists()]
        new, total = len(missing) * source.words["batch"], batches * source.words["batch"]
        with tqdm(total=total, initial=total - new, unit=" samples", disable=quiet or None, file=sys.stderr) as bar:
            _deal(source, settings, folder, missing, bar)
        exact, ends = _summarise(folder, batches)
        return exact, f"{ends}; {new} of {total} samples drawn now"


def first_samples(folder: Path, count: int = 100) -> np.ndarray:
    """Return the first samples in `folder`, [`count` or all there are, …]."""
    samples: list[np.ndarray] = []
    while sum(map(len, samples)) < count and (path := folder / BATCH.format(len(samples))).exists():
        samples.append(Record.load(path)["samples"])
    return np.concatenate(samples)[:count]


def _begin(folder: Path, source: Source, batches: int) -> dict[str, Any]:
    """Return the settings in `folder`, if they are those of `source`; where it is empty, write them."""
    path, asked = folder / SETTINGS, source.settings()
    if not path.exists():
        if any(not file.name.startswith(".") for file in folder.iterdir()):
            raise FFCError(f"{folder}: holds other files than samples; name a new folder")
        words = {name: source.words[name] for name in ("solver", *WORDS)}
        chosen = source.solver(source.checkpoint.params, uses=batches, **words)[1]
        settings = asked | {"chosen": chosen, "checkpoint": source.checkpoint.meta}
        _write(path, settings)
        return settings
    try:
        settings = json.loads(path.read_text())
        differing = [f"{name} {old}, not {new}" for name, new in asked.items() if (old := settings.get(name)) != new]
    except (OSError, ValueError, AttributeError):
        raise FFCError(f"{path}: not the settings of samples; name a new folder") from None
    if differing:
        raise FFCError(f"{folder}: was begun with {'; '.join(differing)}; ask for the same, or name a new folder")
    return settings


def _deal(source: Source, settings: dict[str, Any], folder: Path, missing: list[int], bar: tqdm) -> None:
    """Have every device draw batches, by a thread, as long as some are missing; a slow one takes fewer."""
    common = {name: value for name, value in settings.items() if name != "checkpoint"}
    devices, indices = jax.local_devices()[: len(missing)], iter(missing)

    def work(device: jax.Device) -> None:
        with jax.default_device(device):
            params = jax.device_put(source.checkpoint.params, device)
            solver, _ = source.solver(params, **settings["chosen"])
            for index in indices:
                arrays = source.draw(index, params, solver)
                Record(arrays, common | {"index": index}).save(folder / BATCH.format(index))
                with bar.get_lock():
                    bar.update(source.words["batch"])

    with ThreadPoolExecutor(max(1, len(devices))) as pool:
        try:
            for done in as_completed([pool.submit(work, device) for device in devices]):
                done.result()
        finally:
            for _ in indices:  # after an error or an interruption, each device ends what it has begun
                pass


def _summarise(folder: Path, batches: int) -> tuple[bool, str]:
    """Read all batches and write the summary; return whether all samples are certified, and how they ended."""
    counts: dict[str, Counter] = defaultdict(Counter)
    residual = 0.0
    for index in range(batches):
        arrays = Record.load(folder / BATCH.format(index)).arrays
        for name in _COUNTED & arrays.keys():
            counts[name].update(arrays[name].tolist())
        residual = float(np.max(arrays.get("residual", 0), initial=residual))
    status = Counter({Status[name.upper()]: count for name, count in counts["status"].items()})
    summary: dict[str, Any] = {"batches": batches, "samples": status.total()}
    summary |= {name: {str(value): count for value, count in sorted(counts[name].items())} for name in counts}
    verification = NOT_VERIFIED
    if "proven" in counts:
        summary["residual"] = residual if np.isfinite(residual) else str(residual)  # JSON has no word for it
        verification = describe_verification(counts["proven"], counts["corrected"], residual)
    _write(folder / SUMMARY, summary)
    return set(status) == {Status.CERTIFIED}, f"{describe(status)}; {verification}"


def _write(path: Path, content: dict[str, Any]) -> None:
    write_bytes(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
