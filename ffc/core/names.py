"""Names and bounds that a command line needs before anything is computed: without JAX."""

import re

#: Solvers that a name, a window and a block decide.
FIXED = ("sequential", "cached", "jacobi", "gs_jacobi", "jacobi_gs")
#: Those, and the one that a short race on the system decides.
AUTO = "auto"
NAMES = (*FIXED, AUTO)
#: Those that take a draft.
DRAFTED = ("jacobi", "gs_jacobi")
#: A window that is given in blocks, not in rows.
BLOCKS = re.compile(r"([1-9][0-9]*) blocks")
#: Seeds are 0 … SEEDS − 1.
SEEDS = 2**64
