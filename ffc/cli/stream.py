"""Many batches of samples, drawn on all devices, each written to a folder as soon as it is there.

    settings.json       what all batches have in common
    batch_000000.npz    a `Record` of batch 0: samples, iterations, certified, status, ties, residual …
    summary.json        what became of all samples; written last

The noise of a batch comes from the seed and the batch's index, and whole batches go to one device each. So a batch
is the same file, byte for byte, wherever and in whichever sitting it was drawn. Files appear under their names when
they are whole: what a killed run left is what the next one goes on from. In memory are the batches that devices
are at and those being written, however many there are.
"""

import json
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import numpy as np
from tqdm import tqdm

from ffc.cli.arithmetic import arithmetic
from ffc.core.drafts import Draft
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.core.named import entry_of, own_draft, solver_by_name
from ffc.core.solution import NOT_VERIFIED, Solution, Status, describe, describe_verification
from ffc.core.solve import solve
from ffc.core.system import System
from ffc.core.verify import facts
from ffc.models import Sampler
from ffc.models.guess import guess_by_name
from ffc.store.checkpoints import Checkpoint
from ffc.store.locks import alone
from ffc.store.records import Record, provenance, write_bytes

Item = TypeVar("Item")
SETTINGS, SUMMARY, BATCH = "settings.json", "summary.json", "batch_{:06}.npz"


@dataclass(frozen=True)
class Source:
    """What batches are drawn from, and by which solver, in the words of the command line."""

    checkpoint: Checkpoint
    solver: str
    window: int | str | None
    block: int | None
    system: dict[str, str]
    guess: str
    draft: bool
    together: bool
    seed: int
    batch: int
    verify: bool = True

    @property
    def model(self) -> Sampler:
        return cast(Sampler, self.checkpoint.model)

    def settings(self) -> dict[str, Any]:
        """All that decides the bits of a batch but its index, JSON-able."""
        words = {name: value for name, value in vars(self).items() if name != "checkpoint"}
        facts = {"model": repr(self.model), "weights": self.checkpoint.meta["sha256"], "arithmetic": arithmetic()}
        return facts | words | provenance()

    def system_of(self, index: int, params: Any) -> System:
        """Return the system of batch `index`."""
        noise = self.model.noise(jax.random.fold_in(key_of(self.seed), index), self.batch)
        return self.model.system_with(self.system, params, noise)

    def choose(self, batches: int) -> dict[str, Any]:
        """Return the solver of so many batches and its options; a race on batch 0 decides those that are `auto`."""
        system = self.system_of(0, self.checkpoint.params)
        guess = guess_by_name(self.guess, self.model, system)
        options = (self.window, self.block, guess, self.draft, self.together)
        return entry_of(solver_by_name(self.solver, system, *options, uses=batches), system)

    def own_draft(self, params: Any, chosen: dict[str, Any]) -> Draft | None:
        """Return the draft of all batches, if the `chosen` solver has one: that of batch 0."""
        return own_draft(self.system_of(0, params)) if chosen.get("draft") else None

    def dispatch(self, index: int, params: Any, chosen: dict[str, Any], draft: Draft | None) -> dict[str, jax.Array]:
        """Have the device draw batch `index`, without waiting for it."""
        system = self.system_of(index, params)
        guess = guess_by_name(self.guess, self.model, system)
        options = {name: value for name, value in chosen.items() if name != "solver"} | {"draft": draft or False}
        solver = solver_by_name(chosen["solver"], system, **options)
        return outcome(self.model, system, solve(system, solver, x0=guess, verify=self.verify))


def outcome(model: Sampler, system: System, solution: Solution) -> dict[str, jax.Array]:
    """Return what is kept of a batch, still on the device."""
    return {
        "samples": model.samples(solution.value),
        "iterations": solution.iterations,
        "certified": solution.certified,
        "status": solution.status_codes,
        **facts(system, solution),
    }


def fetch(outcome: dict[str, jax.Array]) -> dict[str, np.ndarray]:
    """Wait for it, as arrays for a `Record`; `status` by name."""
    arrays = {name: np.asarray(array) for name, array in outcome.items()}
    return arrays | {"status": np.array([Status(int(code)).name.lower() for code in arrays["status"]])}


@dataclass(frozen=True)
class Drawn:
    """How all samples of a folder ended, and how long the new ones took, compilation included."""

    status: Counter[Status]
    verification: str
    new: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether every sample is certified whole."""
        return set(self.status) == {Status.CERTIFIED}

    @property
    def message(self) -> str:
        pace = f"{self.new} drawn in {self.seconds:.3g} s, {self.new / self.seconds:.3g} samples/s"
        return f"{describe(self.status)}; {self.verification}; {pace if self.new else 'none had to be drawn'}"


def draw(source: Source, folder: Path, batches: int, quiet: bool = False) -> Drawn:
    """Draw those of the batches 0 … `batches` − 1 that `folder` lacks.

    Raises `FFCError` where the folder was begun with other settings, holds other files, or is being written to.
    """
    with alone(folder) as held:
        if held:
            _clean(folder)
        settings = _begin(folder, source, batches)
        missing = deque(index for index in range(batches) if not (folder / BATCH.format(index)).exists())
        new, found = len(missing) * source.batch, batches - len(missing)
        if found and not quiet:
            print(f"resuming: {found} of {batches} batches are there", flush=True)
        samples = {"total": batches * source.batch, "initial": found * source.batch, "unit": " samples"}
        began = time.perf_counter()
        with tqdm(**samples, disable=quiet or None, file=sys.stderr) as bar:
            _deal(source, settings, folder, missing, lambda: bar.update(source.batch))
        seconds = time.perf_counter() - began
        return Drawn(*_summarise(folder, batches), new, seconds)


def first_samples(folder: Path, count: int = 100) -> np.ndarray:
    """Return the first samples in `folder`, [`count` or all there are, …]."""
    samples: list[np.ndarray] = []
    while sum(map(len, samples)) < count and (path := folder / BATCH.format(len(samples))).exists():
        samples.append(_read(path)["samples"])
    return np.concatenate(samples)[:count]


def _clean(folder: Path) -> None:
    """Remove what a killed run was writing."""
    for file in folder.glob(".*.*.*"):
        if file.name.startswith((".batch_", f".{SETTINGS}.", f".{SUMMARY}.")):
            file.unlink()


def _begin(folder: Path, source: Source, batches: int) -> dict[str, Any]:
    """Return the settings in `folder`, if they are those of `source`; where it is empty, write them."""
    path, asked = folder / SETTINGS, json.loads(json.dumps(source.settings()))
    if not path.exists():
        if any(not file.name.startswith(".") for file in folder.iterdir()):
            raise FFCError(f"{folder}: holds other files than samples; name a new folder")
        settings = asked | {"chosen": source.choose(batches), "checkpoint": source.checkpoint.meta}
        write_bytes(path, (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode())
        return settings
    try:
        settings = json.loads(path.read_text())
        differing = [
            f"{name} {told}, not {value}" for name, value in asked.items() if (told := settings.get(name)) != value
        ]
    except (OSError, ValueError, AttributeError):
        raise FFCError(f"{path}: not the settings of samples; name a new folder") from None
    if differing:
        raise FFCError(f"{folder}: was begun with {'; '.join(differing)}; ask for the same, or name a new folder")
    return settings


def _deal(
    source: Source, settings: dict[str, Any], folder: Path, missing: deque[int], tick: Callable[[], object]
) -> None:
    """Have every device draw batches as long as some are missing; a slow one takes fewer."""
    devices = jax.local_devices()[: len(missing)]
    common = {name: value for name, value in settings.items() if name != "checkpoint"}
    lock = threading.Lock()

    def work(device: jax.Device) -> None:
        with jax.default_device(device):
            params = jax.device_put(source.checkpoint.params, device)
            chosen = settings["chosen"]
            draft = source.own_draft(params, chosen)
            begun = ((index, source.dispatch(index, params, chosen, draft)) for index in _taken(missing))
            for index, result in _one_behind(begun):  # the device is at the next while this one is written
                Record(fetch(result), common | {"index": index}).save(folder / BATCH.format(index))
                with lock:
                    tick()

    with ThreadPoolExecutor(max(1, len(devices))) as pool:
        try:
            for done in as_completed([pool.submit(work, device) for device in devices]):
                done.result()
        finally:
            missing.clear()  # after an error or an interruption, each device ends what it has begun


def _taken(items: deque[Item]) -> Iterator[Item]:
    """Yield the items, each taken off by one thread."""
    while True:
        try:
            yield items.popleft()
        except IndexError:
            return


def _one_behind(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, each after the one that follows it was produced."""
    waiting: deque[Item] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def _summarise(folder: Path, batches: int) -> tuple[Counter[Status], str]:
    """Read all batches, write the summary, and return how their samples ended and what plain sweeps said of them."""
    counts: dict[str, Counter] = {name: Counter() for name in ("status", "iterations", "ties", "proven", "corrected")}
    residual = 0.0
    for index in range(batches):
        arrays = _read(folder / BATCH.format(index)).arrays
        for name in counts.keys() & arrays.keys():
            counts[name].update(arrays[name].tolist())
        residual = float(np.max(arrays.get("residual", 0), initial=residual))
    status = Counter({Status[name.upper()]: count for name, count in counts["status"].items()})
    verified = bool(counts["proven"])
    told: dict[str, Any] = {
        name: {str(value): counter[value] for value in sorted(counter)} for name, counter in counts.items() if counter
    }
    if verified:
        told["residual"] = residual if np.isfinite(residual) else str(residual)  # JSON has no word for it
    summary = {"batches": batches, "samples": status.total(), **told}
    write_bytes(folder / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
    return status, describe_verification(counts["proven"], counts["corrected"], residual) if verified else NOT_VERIFIED


def _read(path: Path) -> Record:
    try:
        return Record.load(path)
    except FFCError:
        raise FFCError(f"{path}: is damaged or gone; delete it, and the same command draws it again") from None
