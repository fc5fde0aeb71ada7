"""Compile programs for a GPU that is not there, and count what each of their loops launches.

    python launches.py h100.json PROGRAM …      prints one line of JSON for each program of programs.py

It needs JAX's CUDA plugins of JAX's own version, and the assembler (nvidia-cuda-nvcc, nvidia-nvvm): no driver, no GPU.
The file describes the GPU by the fields of XLA's `GpuTargetConfigProto`.
"""

import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

PLUGINS = ("jax-cuda13-plugin", "jax-cuda13-pjrt")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
_OPERATION = re.compile(r"^\s+(?:ROOT )?%?[\w.\-]+ = (\(.*?\)|\S+) ([\w\-]+)\(")
#: What starts no kernel.
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id"}
_CALLED = re.compile(r"(?:body|condition|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")


class Operation(NamedTuple):
    kind: str
    shape: str
    line: str

    @property
    def called(self) -> list[str]:
        """The computations that it runs."""
        branches = _BRANCHES.search(self.line)
        return _CALLED.findall(self.line) + ([name.strip(" %") for name in branches[1].split(",")] if branches else [])


def devices(description: Path, count: int = 1) -> list:
    """Return `count` GPUs of the kind that a file describes."""
    import jax
    from jax.experimental import topologies

    for name in PLUGINS:
        if version(name) != jax.__version__:
            sys.exit(f"{name} is version {version(name)}, JAX {jax.__version__}: install {name}=={jax.__version__}")
    try:
        fields = json.loads(description.read_text())
        described = topologies.get_topology_desc(
            platform="cuda", topology_name="described", target_config=_text(fields), topology=f"1x1x{count}"
        )
    except (ValueError, AttributeError, jax.errors.JaxRuntimeError) as error:
        reason = str(error).splitlines()[0]
        sys.exit(f"{description}: no description of a GPU ({reason}); write it as h100.json is written")
    return described.devices[:count]


def _text(fields: dict) -> str:
    """`fields` as a protocol buffer's text."""
    words = (
        f"{name} {{ {_text(value)} }}" if isinstance(value, dict) else f"{name}: {json.dumps(value)}"
        for name, value in fields.items()
    )
    return " ".join(words)


def computations(text: str) -> dict[str, list[Operation]]:
    """Return the operations of each computation of a compiled program; those of its entry as "ENTRY", too."""
    found: dict[str, list[Operation]] = {}
    here: list[Operation] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            found[head[2]] = here = []
            if head[1]:
                found["ENTRY"] = here
        elif operation := _OPERATION.match(line):
            here.append(Operation(operation[2], operation[1], line))
    return found


def loops(programs: dict[str, list[Operation]], name: str = "ENTRY", depth: int = 0) -> Iterator[tuple[int, Operation]]:
    """Yield the loops of a computation, each with how many others it is inside."""
    for operation in programs[name]:
        if operation.kind == "while":
            yield depth, operation
        if operation.kind in ("while", "conditional", "call"):
            for called in operation.called:
                yield from loops(programs, called, depth + (operation.kind == "while"))


def launches(programs: dict[str, list[Operation]], name: str) -> int:
    """Return the kernels and copies that a computation starts, but for loops in it; of branches the longest."""
    count = 0
    for operation in programs[name]:
        if operation.kind == "conditional":
            count += 1 + max(launches(programs, branch) for branch in operation.called)
        elif operation.kind == "call":
            count += sum(launches(programs, called) for called in operation.called)
        elif operation.kind not in _FREE | {"while"}:
            count += 1
    return count


def iteration(programs: dict[str, list[Operation]]) -> tuple[int, int]:
    """Return the launches of an iteration, which is a turn of an innermost loop, and of a turn of the loops around it.

    Loops in a loop count for themselves. Without a loop, all launches are those of one iteration.
    """
    counts = [(depth, sum(launches(programs, name) for name in loop.called)) for depth, loop in loops(programs)]
    innermost = max((depth for depth, _ in counts), default=0)
    around, inside = (
        max((count for depth, count in counts if (depth == innermost) == inner), default=0) for inner in (False, True)
    )
    return inside or launches(programs, "ENTRY"), around


def copies(programs: dict[str, list[Operation]], loop: Operation) -> int:
    """Return how many arrays that a loop carries are copied whole in it, of 16 KiB at least."""
    carried = {shape for shape in re.findall(r"\w+\[[\d,]+\]", loop.shape) if _size(shape) >= 1 << 12}

    def inside(names: list[str]) -> int:
        operations = [operation for name in names for operation in programs[name]]
        here = sum(o.kind.startswith("copy") and o.shape.split("{")[0] in carried for o in operations)
        return here + sum(inside(o.called) for o in operations if o.called and o.kind != "while")

    return inside(loop.called)


def _size(shape: str) -> int:
    return math.prod(int(extent) for extent in re.findall(r"\d+", shape.split("[")[1]))


def lowered(gpus: list, function: Callable, arguments: tuple) -> Any:
    """Return the program of `function` for `gpus`, over which the batch of the first argument is spread."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(gpus), ("samples",))
    every, part = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("samples",)))

    def placed(arguments, at):
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at), arguments)

    first, rest = placed(arguments[0], part if len(gpus) > 1 else every), placed(arguments[1:], every)
    if len(gpus) > 1:
        specs = (part.spec, *[every.spec] * len(rest))
        function = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=part.spec)
    return jax.jit(function).lower(first, *rest)


def report(executable, folder: Path) -> dict:
    """Return what a compiled program launches and takes; `folder` has its assembly."""
    text = executable.as_text()
    programs = computations(text)
    inside, around = iteration(programs)
    return {
        "iteration": inside,
        "around": around,
        "copies": [copies(programs, loop) for _, loop in loops(programs)],
        "temporary": executable.memory_analysis().temp_size_in_bytes,
        "tf32": sum(file.read_text().count(".tf32") for file in folder.glob("*.ptx")),
    }


def main(description: str, *names: str) -> None:
    folder = Path(tempfile.mkdtemp())
    os.environ |= {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1", "JAX_PLATFORMS": "cpu"}
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={folder} --xla_dump_hlo_as_text=false"
    devices(Path(description))  # what is amiss is said before anything is compiled
    import programs

    for name in names:
        began = time.time()
        count, make = programs.PROGRAMS[name]
        executable = lowered(devices(Path(description), count), *make()).compile()
        print(json.dumps({"name": name, "seconds": time.time() - began} | report(executable, folder)), flush=True)
        for file in folder.glob("*.ptx"):
            file.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
