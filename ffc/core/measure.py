"""The project's one way to time things: warm up, synchronise, repeat; and the memory that they took."""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import numpy as np

Result = TypeVar("Result")

#: Calls that run `side_by_side` hold it where they come to programs that they share: JAX would compile each of them
#: in every thread that asks while no other has it ready.
in_turn = threading.Lock()


def timed(function: Callable[[], Result]) -> tuple[Result, float]:
    """Return `function()` and the seconds until its result stood ready on the device: arrays, or a pytree of them."""
    began = time.perf_counter()
    result = jax.block_until_ready(function())
    return result, time.perf_counter() - began


def timed_repeats(function: Callable[[], Result], repeats: int) -> tuple[Result, np.ndarray]:
    """Return the result of `function()` and its seconds [repeats] float64, after one call that is not counted."""
    return timed(function)[0], repeated(function, repeats)


def repeated(function: Callable[[], Any], repeats: int) -> np.ndarray:
    """Seconds [repeats] float64 of a function that is warm: it was called before."""
    return np.array([timed(function)[1] for _ in range(repeats)])


def side_by_side(functions: Collection[Callable[[], Any]]) -> list[Any]:
    """Return the results of functions that nobody times, ready on the device: on a CPU a thread for each core.

    For what is mostly compilation, which takes one core. The calling thread does its share, and all where there is one
    function. On another device they run in turn: its memory may not hold two of them.
    """
    calls, results = list(functions), {}
    threads = min(os.cpu_count() or 1, len(calls)) if jax.default_backend() == "cpu" else 1
    waiting = iter(range(len(calls)))

    def work() -> None:
        try:
            for i in waiting:
                results[i] = timed(calls[i])[0]
        finally:  # after an error, or Ctrl-C, nothing new is begun
            for _ in waiting:
                pass

    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()
    return [results[i] for i in range(len(calls))]


def interleaved(functions: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, np.ndarray]:
    """Seconds [repeats] of each function in turn: what slows the machine for a while slows all alike.

    They are warm: each was called before.
    """
    rounds = [{name: timed(function)[1] for name, function in functions.items()} for _ in range(repeats)]
    return {name: np.array([one[name] for one in rounds]) for name in functions}


def seconds(function: Callable[[], Result], repeats: int) -> np.ndarray:
    """Seconds [repeats] float64 that `function()` takes when it is warm."""
    return timed_repeats(function, repeats)[1]


def peak_memory() -> int | None:
    """Most bytes of the device in use at once since the process began; None where it does not tell, as a CPU."""
    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
