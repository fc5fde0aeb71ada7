"""Names and bounds that a command line and a preset need before anything is computed: without JAX."""

import difflib
import re
from collections.abc import Iterable

#: The solver that a short race on the system decides.
AUTO = "auto"
#: First guesses (`ffc.models.guess`).
GUESSES = ("zeros", "black", "mean", "row_above")
#: A window that is given in blocks, not in rows.
BLOCKS = re.compile(r"([1-9][0-9]*) blocks")
#: Seeds are 0 … SEEDS − 1.
SEEDS = 2**64


def nearest(word: object, words: Iterable[object]) -> str:
    """Return what to add to a complaint about `word`: the one of `words` that it may stand for, if any."""
    near = difflib.get_close_matches(str(word), list(map(str, words)), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
