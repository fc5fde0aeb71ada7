"""Couplings: how a pixel's noise becomes a draw from the mixture that the network predicts for it.

`Gumbel` is the paper's: its mixture uniforms choose a component by Gumbel-argmax, and a uniform for each
channel draws the logistic of that component. `InverseCDF` inverts the cumulative of the whole mixture at the
channel's uniform, and does not use the mixture uniforms. Both draw from the model's distribution. But a
tiny change of the mixture can make Gumbel jump to another component; an inverse CDF moves only a little.

Channels follow one another. Once x_<c is drawn, component k has the weight

    w_k ∝ π_k · Π_{d<c} p_k(x_d | x_<d),   and   P(x_c ≤ x | x_<c) = Σ_k w_k · σ((x − μ_k(x_<c)) / s_k)

is what `InverseCDF` inverts; p_k is the mass of a level, at −1 and 1 with the tail beyond.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp

from ffc.models.pixelcnnpp import mixture
from ffc.models.pixelcnnpp.layers import Region, cut


class Coupling:
    """Noise for every pixel of a batch of images, and how it becomes pixels on a grid of levels, or on none."""

    steps: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """[batch, height, width, channels] of the images."""
        raise NotImplementedError

    @property
    def discrete(self) -> bool:
        """Whether pixels lie on a coarser grid than that of float32."""
        raise NotImplementedError

    def at(self, region: Region) -> "Coupling":
        """Return the noise of a region of the images."""
        return jax.tree.map(lambda noise: cut(noise, region), self)

    def with_median_noise(self) -> "Coupling":
        """All noise at its median: the same for all components, and that of a component's logistic."""
        raise NotImplementedError

    def pixels(self, outputs: jax.Array) -> jax.Array:
        """Pixels [..., channels] in [−1, 1] for the network's outputs [..., outputs]."""
        raise NotImplementedError

    def likely(self, outputs: jax.Array) -> jax.Array:
        """`pixels(outputs)` for a draft, which takes few of them at a time: it may be wrong now and then."""
        return self.pixels(outputs)

    def ties(self, outputs: jax.Array, tolerance: float) -> jax.Array:
        """[...] bool: rounding errors of `tolerance` in the outputs could give the pixel another value."""
        raise NotImplementedError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gumbel(Coupling):
    """One component for all channels, and each channel from its logistic (paper, section 4.3)."""

    gumbel: jax.Array  # [..., mixtures]
    logistic: jax.Array  # [..., channels]
    steps: int | None = field(metadata={"static": True}, default=None)  # of the grid; None: not rounded

    @classmethod
    def of(cls, choice: jax.Array, draw: jax.Array, eight_bit: bool) -> "Gumbel":
        """From uniforms [..., mixtures] and [..., channels]."""
        logistic = jnp.log(draw) - jnp.log1p(-draw)
        return cls(-jnp.log(-jnp.log(choice)), logistic, mixture.EIGHT_BIT if eight_bit else None)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.logistic.shape

    @property
    def discrete(self) -> bool:
        return self.steps is not None

    def with_median_noise(self) -> "Gumbel":
        return replace(self, gumbel=jnp.zeros_like(self.gumbel), logistic=jnp.zeros_like(self.logistic))

    def pixels(self, outputs: jax.Array) -> jax.Array:
        return jnp.stack([rounded for _, rounded in self._channels(outputs)], axis=-1)

    def ties(self, outputs: jax.Array, tolerance: float) -> jax.Array:
        """Return a component nearly chosen or, on a grid, a channel near an edge."""
        scores = self._scores(outputs)
        best = jnp.arange(scores.shape[-1]) == jnp.argmax(scores, axis=-1)[..., None]
        tied = jnp.max(scores, axis=-1) - jnp.max(jnp.where(best, -jnp.inf, scores), axis=-1) < tolerance
        for exact, _ in self._channels(outputs):
            if self.steps is not None:
                tied |= self._round(exact - tolerance) != self._round(exact + tolerance)
        return tied

    def _scores(self, outputs: jax.Array) -> jax.Array:
        return mixture.read(outputs, self.shape[-1]).logits + self.gumbel

    def _channels(self, outputs: jax.Array) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Each channel's value before it is rounded, and after."""
        whole = mixture.read(outputs, self.shape[-1])
        # An argmax takes a score that is NaN for the best: its component has no mean, so that the pixel says so.
        whole = whole._replace(means=whole.means + 0 * whole.logits)
        chosen = whole.component(jnp.argmax(self._scores(outputs), axis=-1))
        before: list[jax.Array] = []
        for channel in range(self.shape[-1]):
            noise = jnp.exp(chosen.log_scales[channel]) * self.logistic[..., channel]
            exact = jnp.clip(chosen.mean(channel, before) + noise, -1.0, 1.0)
            before.append(self._round(exact))
            yield exact, before[-1]

    def _round(self, x: jax.Array) -> jax.Array:
        if self.steps is None:
            return x
        return mixture.level(jnp.clip(jnp.round((x + 1) * (self.steps / 2)), 0, self.steps), self.steps, x.dtype)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InverseCDF(Coupling):
    """The quantile of the whole mixture at one uniform a channel, given the channels before."""

    uniform: jax.Array  # [..., channels]
    steps: int = field(metadata={"static": True})  # of the grid; without rounding it is as fine as float32

    @classmethod
    def of(cls, choice: jax.Array, draw: jax.Array, eight_bit: bool) -> "InverseCDF":
        """From uniforms [..., mixtures], which are not used, and [..., channels]."""
        return cls(draw, mixture.EIGHT_BIT if eight_bit else mixture.FINE)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.uniform.shape

    @property
    def discrete(self) -> bool:
        return self.steps < mixture.FINE

    def with_median_noise(self) -> "InverseCDF":
        return replace(self, uniform=jnp.full_like(self.uniform, 0.5))

    def pixels(self, outputs: jax.Array) -> jax.Array:
        return jnp.stack([x for x, _ in self._channels(outputs)], axis=-1)

    def likely(self, outputs: jax.Array) -> jax.Array:
        if self.steps != mixture.EIGHT_BIT:
            return self.pixels(outputs)
        whole = mixture.read(outputs, self.shape[-1])
        weights = jax.nn.softmax(whole.logits)
        before: list[jax.Array] = []
        for channel in range(self.shape[-1]):
            component = whole.mean(channel, before), whole.log_scales[channel]
            before.append(mixture.likely_level(weights, *component, self.uniform[..., channel])[..., None])
            weights *= mixture.likely_mass(before[-1], *component)
        return jnp.concatenate(before, axis=-1)

    def ties(self, outputs: jax.Array, tolerance: float) -> jax.Array:
        """Return moving a channel's means and cumulative by `tolerance` to and fro moves it by a level or more."""
        tied = jnp.zeros(outputs.shape[:-1], bool)
        for _, (log_weights, mean, log_scale, uniform) in self._channels(outputs):
            low, high = (
                mixture.quantile(log_weights, mean + error, log_scale, uniform + error, self.steps)
                for error in (-tolerance, tolerance)
            )
            tied |= high - low > 1 / mixture.EIGHT_BIT
        return tied

    def _channels(self, outputs: jax.Array) -> Iterator[tuple[jax.Array, tuple[jax.Array, ...]]]:
        """Each channel's value, and what it is the quantile of."""
        whole = mixture.read(outputs, self.shape[-1])
        log_weights = whole.logits
        before: list[jax.Array] = []
        for channel in range(self.shape[-1]):
            mean, log_scale = whole.mean(channel, before), whole.log_scales[channel]
            distribution = (log_weights, mean, log_scale, self.uniform[..., channel])
            x = mixture.quantile(*distribution, self.steps)
            yield x, distribution
            before.append(x[..., None])
            log_weights = log_weights + mixture.log_mass(before[-1], mean, log_scale, self.steps)


#: By the names that presets and the command line use; the paper's first.
COUPLINGS: dict[str, type[Gumbel] | type[InverseCDF]] = {"gumbel": Gumbel, "inverse_cdf": InverseCDF}
