"""Two solvers draw the same samples side by side, each as fast as it was measured: an animated GIF.

Iterates and what of them is certified come from `history_of`, a second run, which is not timed. The
warm seconds of a solver, for the whole batch, are spread evenly over its iterations. What is not certified lies under a
veil: a thin one over the iterates of a parallel solver, a dense one where a sequential solver has not drawn yet.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ffc.core.measure import interleaved, side_by_side
from ffc.core.solve import RowAbove, history_of, solve
from ffc.core.solvers import Sequential, Solver
from ffc.core.system import State, System, indices, select_blocks
from ffc.models import Sampler
from ffc.paper.sheet import sheet

#: Frames of an animation at most, the time of each and of the last one, in milliseconds.
FRAMES, DELAY, PAUSE = 110, 60, 3000
#: Bytes of a file: above, frames are left out.
BYTES = 1_500_000
_REPEATS = 3
_WIDTH, _MARGIN, _LINE, _GAP = 280, 12, 18, 3
_SIDE = 4  # samples in a row, and rows, at most
_VEIL = np.array([88, 124, 184])
_INK, _GREEN, _RED = (40, 40, 40), (20, 120, 60), (170, 30, 30)


@dataclass(frozen=True)
class Clock:
    """The moments [frames] in seconds that are shown, and how many times slower they pass than they did."""

    moments: np.ndarray
    slower: float

    @classmethod
    def of(cls, longest: float) -> "Clock":
        """From 0 to `longest` seconds, in time that is stretched by 1, 2 or 5 times a power of ten."""
        most = FRAMES * DELAY / 1000 / longest
        power = 10.0 ** math.floor(math.log10(most))
        slower = max(factor * power for factor in (1, 2, 5) if factor * power <= most)
        step = DELAY / 1000 / slower
        return cls(step * np.arange(math.ceil(longest / step) + 1), slower)

    @property
    def pace(self) -> str:
        if self.slower == 1:
            return "as it was"
        return f"{self.slower:,.0f}x slower" if self.slower > 1 else f"{1 / self.slower:,.0f}x faster"


@dataclass(frozen=True)
class Run:
    """What one solver did, at F moments."""

    name: str
    seconds: float
    iterations: np.ndarray  # [F] done so far
    pictures: np.ndarray  # [F, samples, height, width, channels] uint8
    certified: np.ndarray  # bool, likewise
    share: np.ndarray  # [F] of all blocks of the whole batch that are certified
    exact: bool
    veil: float  # how dense: 1 hides what lies under it


def race(
    model: Sampler, system: System, solvers: Mapping[str, Solver], guess: State | RowAbove | None = None
) -> tuple[list[Run], Clock]:
    """Return the solvers, timed warm and in turn, at the moments of one clock."""
    functions = {name: _solving(system, solver, guess) for name, solver in solvers.items()}
    side_by_side(functions.values())
    seconds = {name: float(np.median(times)) for name, times in interleaved(functions, _REPEATS).items()}
    clock = Clock.of(max(seconds.values()))
    return [_watch(model, system, name, solvers[name], guess, seconds[name], clock) for name in solvers], clock


def _solving(system: System, solver: Solver, guess: State | RowAbove | None) -> Callable[[], object]:
    return lambda: solve(system, solver, x0=guess)


def _watch(
    model: Sampler,
    system: System,
    name: str,
    solver: Solver,
    guess: State | RowAbove | None,
    seconds: float,
    clock: Clock,
) -> Run:
    solution = solve(system, solver, x0=guess)
    length = int(np.asarray(solution.iterations).max())
    done = np.minimum(length, (length * clock.moments / seconds + 1e-6).astype(int))
    # Not those of the moments, which no two runs have alike: a program serves all runs of this length.
    named = np.unique(np.linspace(0, length, min(length, FRAMES) + 1).astype(int))
    frame = np.searchsorted(named, done, side="right") - 1
    history = history_of(system, solver, solution, tuple(named.tolist()), guess)
    certified = history.certified[named]  # [S, batch]
    pictures = np.stack([_shown(model, state) for state in history.snapshots])
    masks = np.stack([_entries(model, system, solution.value, blocks) for blocks in certified])
    return Run(
        name=name,
        seconds=seconds,
        iterations=named[frame],
        pictures=pictures[frame],
        certified=masks[frame],
        share=certified.mean(axis=1)[frame] / system.size,
        exact=solution.exact,
        veil=1.0 if isinstance(solver, Sequential) else 0.55,
    )


def _shown(model: Sampler, state: State) -> np.ndarray:
    """Return the first samples of a state, [samples, height, width, channels] uint8."""
    pictures = np.asarray(model.pictures(model.samples(state)))
    _, height, width, _ = pictures.shape
    most = math.prod(min(_SIDE, max(1, _WIDTH // side)) for side in (height, width))
    return np.round(255 * np.clip(pictures[:most], 0, 1)).astype(np.uint8)


def _entries(model: Sampler, system: System, like: State, certified: np.ndarray) -> np.ndarray:
    """Which entries of the pictures the first `certified` [batch] blocks make."""
    ones, zeros = (jax.tree.map(lambda leaf, v=value: jnp.full_like(leaf, v), like) for value in (1, 0))
    reached = indices(system.size) < certified[:, None]
    return _shown(model, select_blocks(reached, ones, zeros)) != _shown(model, zeros)


def frames(runs: Sequence[Run], clock: Clock) -> list[Image.Image]:
    """Return a picture for each moment: samples of the solvers beside each other, the clock above, progress below."""
    return [_frame(runs, clock, f) for f in range(len(clock.moments))]


def _frame(runs: Sequence[Run], clock: Clock, f: int) -> Image.Image:
    font = ImageFont.load_default(13)
    panels = [_panel(run, f) for run in runs]
    height, width = panels[0].shape[:2]
    column, top = max(width, _WIDTH) + _MARGIN, _MARGIN + 2 * _LINE
    image = Image.new("RGB", (column * len(runs) + _MARGIN, top + height + 2 * _LINE + _MARGIN), "white")
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, top - 2 * _LINE - 4), f"{_time(clock.moments[f])}  ({clock.pace})", _INK, font)
    for i, (run, panel) in enumerate(zip(runs, panels, strict=True)):
        left, below = _MARGIN + i * column, top + height + 4
        image.paste(Image.fromarray(panel), (left, top))
        draw.text((left, top - _LINE - 2), run.name, _INK, font)
        draw.text((left, below), f"{run.iterations[f]:,} iterations, {_percent(run.share[f])} certified", _INK, font)
        if clock.moments[f] >= run.seconds:
            words, colour = ("certified: exact", _GREEN) if run.exact else ("stopped: not certified", _RED)
            draw.text((left, below + _LINE), f"{words}, after {_time(run.seconds)}", colour, font)
    return image


def _panel(run: Run, f: int) -> np.ndarray:
    """[H, W, 3] uint8: the samples of a moment, scaled up."""
    samples, height, width = run.pictures.shape[1:4]
    return sheet(_veiled(run, f), max(1, _WIDTH // (math.ceil(math.sqrt(samples)) * max(height, width))), _GAP)


def _veiled(run: Run, f: int) -> np.ndarray:
    """Return a moment's samples [samples, height, width, 3] uint8, with the veil over what is not certified."""
    pictures = run.pictures[f]
    return np.where(run.certified[f], pictures, pictures + run.veil * (_VEIL - pictures)).astype(np.uint8)


def _percent(share: float) -> str:
    """Return a share in words, rounded down: 100 % is all."""
    return f"{math.floor(100 * share)} %"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def gif(pictures: Sequence[Image.Image]) -> bytes:
    """Return an animated GIF of `pictures` that pauses on the last; some are left out where it would be too large."""
    shown, delay = list(pictures), DELAY
    while len(content := _encoded(shown, delay)) > BYTES and len(shown) > 8:
        shown, delay = [*shown[:-1:2], shown[-1]], 2 * delay
    return content


def _encoded(pictures: Sequence[Image.Image], delay: int) -> bytes:
    """One palette for all, so that no colour flickers; a colour is left for what does not change."""
    few = [*pictures[:: max(1, len(pictures) // 8)], pictures[-1]]
    together = Image.fromarray(np.concatenate([np.asarray(picture) for picture in few]))
    palette = together.quantize(255, Image.Quantize.MEDIANCUT)
    levels = np.array(palette.getpalette())
    palette.putpalette(np.where(levels > 247, 255, levels).astype(np.uint8).tobytes())  # white is white
    images = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    delays = [delay] * (len(images) - 1) + [PAUSE]
    images[0].save(buffer, "gif", save_all=True, append_images=images[1:], duration=delays, loop=0, disposal=1)
    return buffer.getvalue()
