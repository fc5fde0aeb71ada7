"""`ffc bench` and `ffc keep`: the results of a preset that has run."""

import argparse
from pathlib import Path
from typing import Any

from ffc.cli import DONE, options
from ffc.core.errors import need
from ffc.store.paths import expanded

#: The folders of a preset's results that a benchmark reads.
INPUTS = ("records", "data", "checkpoints")


def add(commands: Any) -> None:
    """Add both commands to the parser."""
    command = options.add_command(commands, bench, "time all solvers of a preset that has run, in turn: one table")
    command.add_argument("--preset", default="quick", help="the preset (default: quick)")
    command.add_argument("--tasks", nargs="+", metavar="TASK", help="tasks of the preset (default: all)")
    command.add_argument("--repeats", type=options.at_least(1), default=5, metavar="N", help="default: 5")
    command.add_argument("--out", type=expanded, metavar="OUT.npz", help="write every repeat to this file")

    command = options.add_command(commands, keep, "keep the small records of a finished preset, for the repository")
    command.add_argument("results", type=expanded, metavar="results/PRESET", help="the folder of a finished preset")
    command.add_argument("--into", type=expanded, default=Path("results/reference"), help="default: results/reference")


def bench(arguments: argparse.Namespace) -> int:
    """Time every solver of a preset against the sequential baselines, in one process."""
    need("matplotlib", extra="paper")
    from ffc.cli.files import check_outputs
    from ffc.paper.bench import bench, to_markdown
    from ffc.paper.figures import from_root

    folder = from_root("results") / arguments.preset
    check_outputs({"out": arguments.out}, (file for part in INPUTS for file in (folder / part).rglob("*")))
    record = bench(folder, arguments.tasks, arguments.repeats)
    if arguments.out:
        record.save(arguments.out)
    print(to_markdown(record), end="")
    return DONE


def keep(arguments: argparse.Namespace) -> int:
    """Write the small form of a preset's records."""
    need("matplotlib", extra="paper")
    from ffc.paper import reference

    copies = reference.keep(arguments.results, arguments.into)
    print(f"{copies[0].parents[1]}: {len(copies)} records")
    return DONE
