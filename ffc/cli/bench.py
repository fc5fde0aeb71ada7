"""`ffc bench`: the solvers of a preset that has run, timed in turn."""

import argparse
from typing import Any

from ffc.cli import DONE, options
from ffc.core.errors import need


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = options.add_command(commands, bench, "time all solvers of a preset that has run, in turn: one table")
    command.add_argument("--preset", default="quick", help="the preset (default: quick)")
    command.add_argument("--tasks", nargs="+", metavar="TASK", help="tasks of the preset (default: all)")
    command.add_argument("--repeats", type=options.count, default=5, metavar="N", help="default: 5")


def bench(arguments: argparse.Namespace) -> int:
    """Time every solver of a preset against the sequential baselines, in one process."""
    need("matplotlib", extra="paper")
    from ffc.paper.bench import bench, to_markdown
    from ffc.paper.figures import from_root

    print(to_markdown(bench(from_root("results") / arguments.preset, arguments.tasks, arguments.repeats)), end="")
    return DONE
