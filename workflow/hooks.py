"""Checks before a run begins, the reason why a target is unknown, and the words at the end of a run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ffc.core.names import nearest
from ffc.paper.first_page import verdict


def problem_of_folders() -> str | None:
    """Return which folder may not be written to, before jobs have computed what they could not write."""
    for folder in filter(os.path.exists, (".", "results", "logs", "benchmarks")):
        if not os.access(folder, os.W_OK):
            return (
                f"{os.path.abspath(folder)}: may not be written to; change that (chmod u+w, or how its disk is "
                "mounted), or run a copy of the project elsewhere"
            )
    return None


def problem_of_gpu(asking: Collection[str], presets: Mapping[str, Any]) -> str | None:
    """Return why presets that ask for a GPU should not start on this machine: they would need days without one."""
    if not asking or _has_gpu():
        return None
    costs = [
        f"preset {name}: {presets[name]['without_gpu']}" for name in sorted(asking) if "without_gpu" in presets[name]
    ]
    return "\n".join(
        [
            "Jobs of this run ask for a GPU, and this machine shows none (nvidia-smi -L).",
            *(f"Without one, {cost}." for cost in costs),
            "`snakemake quick` needs none and takes minutes, `laptop` about half an hour on real data.",
            "To go on all the same: --config without_gpu=True",
        ]
    )


def _has_gpu() -> bool:
    try:
        return bool(subprocess.run(["nvidia-smi", "-L"], capture_output=True).stdout.strip())
    except OSError:
        return False


def unknown_targets(presets: Iterable[str]) -> str:
    """Return what such targets match: names, absolute paths, a report, and files of a preset that there is not."""
    return rf"/.+|[^/.]+|results/\w+/report\.html|results/(?!(?:{'|'.join([*presets, 'reference'])})/).+"


def problem_of_target(target: str, presets: Iterable[str], faults: Mapping[str, str]) -> str:
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


def after_failure(logs: Iterable[str]) -> list[str]:
    """Return what to do about a failure; `logs` are Snakemake's own."""
    lines = [
        "Once that is mended, repeat the command: what is finished stays, and training with the same settings goes on "
        "from its last state."
    ]
    if any(re.search(r"SIG(KILL|ABRT)|exit status 13[47]", Path(log).read_text(errors="replace")) for log in logs):
        lines.append(
            "A job was killed. Unless somebody did that, memory ran out: close other programs, let fewer jobs run at "
            "once (--cores 1), or make batch, images or samples smaller in the preset."
        )
    return lines


def after_success(
    pages: Mapping[str, list[str]], began: float, snakefile: Path, config: Mapping[str, Any]
) -> list[str]:
    """Return what each table that this run wrote comes to, and the name of each report; `pages` are those of presets.

    A report is written where all pages are there, and this run wrote one of them.
    """
    lines, reports = [], []
    for preset, files in pages.items():
        times = [Path(file).stat().st_mtime if Path(file).exists() else None for file in files]
        if None not in times and max(times) >= began:
            lines += verdict(Path(f"results/{preset}/summary.md"))[0]
            reports.append(f"Open {_report(preset, snakefile, config)} in a browser.")
    return lines + reports


def _report(preset: str, snakefile: Path, config: Mapping[str, Any]) -> str:
    """Have Snakemake write its report. The option `--report-after-run` would do so after `-n` and `--until`, too."""
    path, settings = f"results/{preset}/report.html", Path(".snakemake/report.json")
    settings.write_text(json.dumps(dict(config)))  # a file, as `--config` makes text of null
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--nolock", "--report", path]
    run = subprocess.run(
        [*command, "--configfile", str(settings), "--", preset], capture_output=True, text=True, errors="replace"
    )
    if run.returncode:
        raise RuntimeError(f"{path}: Snakemake could not write its report:\n{run.stderr}")
    return path
