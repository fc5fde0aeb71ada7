"""A transformer at any temperature, length of its sequences, and width (`ffc.models.transformer.widen`).

What a text needs differs from one to the next. So each repeat draws another.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from ffc.core.errors import FFCError
from ffc.core.solvers import GSJacobi, Jacobi, Sequential, Solver
from ffc.models.transformer import Transformer
from ffc.models.transformer.widen import grown
from ffc.paper.experiments.job import Job
from ffc.paper.experiments.scaling.case import Case
from ffc.store.checkpoints import Checkpoint

WINDOW = 8
LABELS = {"window": f"GS-Jacobi, {WINDOW} tokens", "drafted": f"GS-Jacobi, {WINDOW} tokens, drafted"}


def points(settings: dict[str, Any], model: Transformer) -> Iterator[tuple[str, float, tuple[float, int, int]]]:
    """Each axis and value, with the (temperature, length, width) that it stands for.

    The others are the checkpoint's own, and the temperature of `settings["system"]`.
    """
    own = settings.get("system", {}).get("temperature", 1.0)
    for value in settings.get("temperatures", []):
        yield "temperature", value, (value, model.size, model.width)
    for value in settings.get("lengths", []):
        yield "length", value, (own, value, model.width)
    for value in settings.get("widths", []):
        yield "width", value, (own, model.size, value)


def cases(job: Job, loaded: Checkpoint) -> Callable[[float, int, int], Case]:
    """Return the case of a temperature, length and width."""
    own = cast(Transformer, loaded.model)

    def case(temperature: float, length: int, width: int) -> Case:
        if length > own.size:
            raise FFCError(f"lengths: {length}; these weights draw {own.size} tokens: give that many, or fewer")
        model, params = grown(own, loaded.params, width, own.depth)
        options = job.system | {"temperature": temperature}
        noises = [model.noise(job.key(repeat), 1)[:, :length] for repeat in range(job.repeats)]
        systems = [model.system_with(options, params, noise) for noise in noises]
        window = min(WINDOW, length)
        solvers: dict[str, Solver] = {
            "cached": Sequential(cached=True),
            "jacobi": Jacobi(),
            "window": GSJacobi(window),
            "drafted": GSJacobi(window, draft=systems[0].draft()),
        }
        return Case(list(systems), solvers)

    return case
