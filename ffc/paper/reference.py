"""Measured results small enough to be kept in the repository: `results/reference/<device>/<preset>/`.

What figures and tables need of a record stays: counts, times, curves as means over the batch, the pictures
of one sample. What they don't need, samples and weights, goes. `python -m ffc.paper.reference results/PRESET` keeps
those of a preset that has run.
"""

import re
import shutil
import sys
from pathlib import Path

import numpy as np

from ffc.core.errors import FFCError
from ffc.paper import summary
from ffc.store.records import Record

#: Arrays that no figure or table reads: whole samples, logits of every iteration, trained parameters.
_LEFT_OUT = re.compile(r"samples|pictures|outputs|logits|trained_.*")
_CURVES = ("error_l2", "error_max", "change")  # [K + 1, batch] in a sampler's record
_SEEN = ("snapshots", "settled")  # [S, batch, …], one of the two in a sampler's record


def keep(results: Path, references: Path) -> list[Path]:
    """Copy the records of a finished preset (`results/<preset>`) in their small form; the paths of the copies.

    They replace what `references/<device>/<preset>/records` held; the table is written beside them. Raises
    `FFCError` where there are no records, or where they are of different devices.
    """
    records = {path: Record.load(path) for path in sorted((results / "records").glob("*/*.npz"))}
    if not records:
        raise FFCError(f"{results}/records: no records there; run the preset first: snakemake {results.name}")
    devices = sorted({record.meta["device"]["name"] for record in records.values()})
    if len(devices) > 1:
        raise FFCError(f"{results}/records: of different devices ({'; '.join(devices)}); run all on one of them")
    folder = references / slug(devices[0]) / results.name / "records"
    if (results / "records").resolve().is_relative_to(folder.resolve()):
        raise FFCError(f"{folder}: holds the records that are to be copied, and would be replaced; name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    copies = {folder / path.relative_to(results / "records"): record for path, record in records.items()}
    for path, record in copies.items():
        reduced(record).save(path)
    summary.write(folder, folder.parent)
    return list(copies)


def reduced(record: Record) -> Record:
    """Return a record with all that figures and tables say of it, in tens of kilobytes."""
    arrays = {name: array for name, array in record.arrays.items() if not _LEFT_OUT.fullmatch(name)}
    if shown := [name for name in _SEEN if name in arrays]:
        arrays |= {name: arrays[name].mean(axis=1, keepdims=True, dtype=np.float32) for name in _CURVES}
        arrays |= {name: arrays[name][:, :1] for name in shown}
    return Record(arrays, record.meta | {"reduced": "curves are means over the batch; pictures are of one sample"})


def slug(device: str) -> str:
    """Return a device's name as the name of a folder: “AMD EPYC, 2 cores” → `amd-epyc-2-cores`."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")


if __name__ == "__main__":
    print(*keep(Path(sys.argv[1]), Path("results/reference")), sep="\n")
