"""What a command may ask for that no rule makes, and why it is not made."""

import os
from collections.abc import Iterable, Mapping

from ffc.core.names import nearest


def pattern(presets: Iterable[str]) -> str:
    """Return what such targets match: names, absolute paths, a report, and files of a preset that there is not."""
    return rf"/.+|[^/.]+|results/\w+/report\.html|results/(?!(?:{'|'.join([*presets, 'reference'])})/).+"


def problem_of(target: str, presets: Iterable[str], faults: Mapping[str, str]) -> str:
    """Return why no rule makes `target`; `faults` says what is wrong with presets that are not sound."""
    if target.startswith("/"):
        return f"{target}: name a file from the folder where the run takes place: {os.path.relpath(target)}"
    preset = target.split("/")[1] if target.startswith("results/") else target
    if preset in faults:
        return faults[preset]
    if preset in presets:
        return f"{target}: Snakemake writes it at the end of a run; again: snakemake {preset} --report {target}"
    names = [*presets, "all", "reference"]
    return (
        f"{target}: no target has this name{nearest(preset, names)}; targets are {', '.join(names)}, and paths of files"
    )
