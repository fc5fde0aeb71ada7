"""A chain of systems of the zoo, each by what the one before it comes to."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from zoo import Weighted

from ffc import System


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Links(System):
    """A chain of `parts`: the first from its own noise, each other also from the link before, in reversed order."""

    parts: tuple[Weighted, ...]

    @property
    def links(self):
        return len(self.parts)

    @property
    def size(self):
        return self.links * self.row_length

    @property
    def row_length(self):
        return self.parts[0].size

    def initial(self):
        return jnp.concatenate([part.initial() for part in self.parts], axis=1)

    def link(self, number, before):
        part = self.parts[number]
        return part if before is None else replace(part, u=part.u + before[:, ::-1])

    def link_above(self, number, before):
        return self.link(number, before).u

    def sweep(self, x):
        rows = jnp.split(x, self.links, axis=1)
        before = [None, *rows[:-1]]
        return jnp.concatenate([self.link(i, before[i]).sweep(row) for i, row in enumerate(rows)], axis=1)
