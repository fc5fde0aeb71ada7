"""What the table of results comes to: for each task, its fastest parallel solver against sequential evaluation."""

from typing import Any, NamedTuple

from ffc.paper.tables import markdown

Row = dict[str, Any]

_SEQUENTIAL = ("Sequential", "Feedforward")
#: A ratio of fewer repeats, or whose range has ends that are further apart by a factor, is said to be rough.
_ENOUGH, _WIDE = 5, 1.5

#: The columns of `essentials`, and what each is called.
ESSENTIALS = {
    "task": "task",
    "solver": "fastest parallel solver",
    "iterations": "iterations",
    "blocks": "sequential iterations",
    "certified_seconds": "certified seconds",
    "best_seconds": "best sequential, seconds",
    "over_best": "× best sequential",
    "over_plain": "× plain",
    "paper_over_plain": "paper: × plain",
}


class Spread(NamedTuple):
    """Of × best sequential over the repeats: from the slowest solver and fastest baseline to the reverse."""

    least: float
    most: float
    repeats: int  # of that of both which has fewer


def times(ratio: float | None) -> str:
    """Return a ratio of three digits, never in powers of ten."""
    return "–" if ratio is None else f"{float(f'{ratio:.3g}'):g}×"


def cell(key: str, value: Any) -> str:
    """Return a cell of a table whose column is `key`."""
    if value is None:
        return "–"
    if "over" in key:
        return times(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def essentials(rows: list[Row]) -> list[Row]:
    """For each task of the table `rows` that has a parallel solver, a row with the keys of `ESSENTIALS`, and what the
    verdict needs besides."""
    chosen = []
    for task in dict.fromkeys(row["task"] for row in rows):
        ours = [row for row in rows if row["task"] == task]
        parallel = [row for row in ours if not row["solver"].startswith(_SEQUENTIAL)]
        if not parallel:
            continue
        best = min(parallel, key=lambda row: row["certified_seconds"] or row["oracle_seconds"])
        baselines, mine = [row for row in ours if row not in parallel], best["certified_seconds"]
        chosen.append(
            {key: best.get(key) for key in ESSENTIALS}
            | {
                "solver": best["solver"] + (", not exact" if _truncated(best) and best["certified"] == "no" else ""),
                "blocks": max((row["iterations"] for row in baselines), default=None),
                "best_seconds": mine and best["over_best"] and mine * best["over_best"],  # of the same system
                "paper_over_plain": max((row["paper_over_plain"] or 0 for row in parallel), default=0) or None,
                "oracle_over_plain": best["oracle_over_plain"],
                "spread": best["spread"],
            }
        )
    return chosen


def essentials_table(rows: list[Row]) -> str:
    """`essentials` as Markdown, without the paper's column where it is empty."""
    chosen = essentials(rows)
    keys = [key for key in ESSENTIALS if key != "paper_over_plain" or any(row[key] for row in chosen)]
    return markdown([ESSENTIALS[key] for key in keys], [[cell(key, row[key]) for key in keys] for row in chosen])


def conclusion(rows: list[Row]) -> list[str]:
    """Return what the table comes to, a line for each task and one about exactness."""
    compared = {row["task"]: row for row in essentials(rows)}
    tasks = dict.fromkeys(row["task"] for row in rows)
    lines = [_verdict(task, compared.get(task)) for task in tasks]
    if solved := [row for row in rows if not _truncated(row)]:
        aside = " The RNN's truncated gradients certify nothing, as in the paper." if len(solved) < len(rows) else ""
        lines.append(_certified(solved) + aside)
    return lines


def _truncated(row: Row) -> bool:
    """Whether it is of training with gradients that are cut off."""
    return row["experiment"] == "backpropagation"


def _verdict(task: str, best: Row | None) -> str:
    if best is None:
        return f"{task}: only sequential solvers were run."
    clauses = (
        (best["over_plain"], "plain"),
        (None if best["over_plain"] else best["oracle_over_plain"], "plain by the oracle clock"),
    )
    ratios = [_over_best(best["over_best"], best["spread"])] if best["over_best"] else []
    ratios += [f"{times(ratio)} as fast as {what}" for ratio, what in clauses if ratio]
    theirs = best["paper_over_plain"]
    paper = f" The paper: at best {times(theirs)} as fast as plain." if theirs else ""
    return f"{task}, {best['solver']}: {', '.join(ratios) or 'no sequential evaluation to compare it with'}.{paper}"


def _over_best(ratio: float, spread: Spread) -> str:
    """Return the ratio and its range; `about` where few repeats, or a wide range, say that it is rough."""
    rough = spread.repeats < _ENOUGH or spread.most > _WIDE * spread.least
    between = f"{times(spread.least)} to {times(spread.most)}" if spread.repeats > 1 else "timed once"
    return f"{'about ' if rough else ''}{times(ratio)} as fast as the fastest sequential evaluation ({between})"


def _certified(rows: list[Row]) -> str:
    failed = [f"{row['task']} by {row['solver']}" for row in rows if row["certified"] == "no"]
    whole = f"all but {', '.join(failed)}" if failed else "every sample of every solver"
    text = f"Certified: {whole if len(failed) < len(rows) else 'nothing'}."
    if compared := [row for row in rows if row["max_difference"] is not None]:
        worst = max(compared, key=lambda row: row["max_difference"])
        where = f"{worst['max_difference']:.2g} ({worst['task']}, {worst['solver']})"
        text += f" The largest difference to a sequential answer is {where}."
    return text
