"""A model of somebody's own: whether it has what a sampler needs, and whether its system is triangular."""

from typing import Any

import numpy as np

from ffc.core.check import check
from ffc.core.errors import FFCError
from ffc.core.keys import key_of
from ffc.models import is_own
from ffc.models.base import Model, Params, Sampler

#: What a sampler must say, beside what every model must.
NEEDED = ("noise", "system", "samples")
#: Samples, blocks and states that are tried: enough to find a slip, in seconds.
_BATCH, _BLOCKS, _DRAWS = 2, 32, 8


def check_own(model: Model, params: Params, options: dict[str, Any] | None = None) -> None:
    """`FFCError` where a sampler that is not the library's lacks a method, or its system is shown not to be triangular.

    Tries 32 blocks, spread evenly; `options` are those of the system. Models of the library have tests of their own.
    """
    if not isinstance(model, Sampler) or not is_own(model):
        return
    name = type(model).__name__
    for method in NEEDED:
        if getattr(type(model), method) is getattr(Sampler, method):
            raise FFCError(f"{name} has no {method}(); a sampler needs {', '.join(NEEDED)} (docs/own_task.md)")
    system = model.system_with(options or {}, params, model.noise(key_of(0), _BATCH))
    blocks = np.unique(np.linspace(0, system.size - 1, min(system.size, _BLOCKS)).astype(int)).tolist()
    try:
        check(system, blocks=blocks, windows=(), draws=_DRAWS)
    except FFCError as error:
        raise FFCError(f"{name}: {error}; no certificate would hold") from None
