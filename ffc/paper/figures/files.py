"""Where records and figures lie."""

from pathlib import Path

from ffc.core.errors import FFCError
from ffc.store.records import Record


def from_root(path: str | Path) -> Path:
    """`path`; a relative one counts from the project's folder (that of the Snakefile), also from inside it.

    So a notebook finds its records whether it runs in the project's folder or in its own.
    """
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / "Snakefile").exists()), here)
    return root / path


def load_records(folder: str | Path) -> dict[str, Record]:
    """Return the records of one task, by solver: every `.npz` in `folder`. Raises `FFCError` if there is none."""
    files = sorted(Path(folder).glob("*.npz"))
    if not files:
        raise FFCError(f"{folder}: no records there; let snakemake make them, or name another folder")
    return {file.stem: Record.load(file) for file in files}
