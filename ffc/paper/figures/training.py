"""Learning curves of the weights that were trained here."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from ffc.paper.figures.style import PAGE, add_footnote, styled
from ffc.store.records import Record


@styled
def curves(records: Mapping[str, Mapping[str, Record]]) -> Figure:
    """Training and held-out loss against steps, a panel headed by the test loss for each task trained here."""
    trained = {task: record for task, runs in records.items() if (record := _trained(runs))}
    figure = Figure(figsize=(PAGE, 1.9 * max(1, (len(trained) + 1) // 2)))
    if not trained:
        figure.text(0.5, 0.5, "No weights were trained here: all were found.", ha="center")
        return figure
    panels = figure.subplots(-(-len(trained) // 2), 2, squeeze=False).flat
    for (task, record), panel in zip(trained.items(), panels, strict=False):
        checkpoint = record.meta["checkpoint"]
        table, metrics = checkpoint["curves"], checkpoint["metrics"]
        panel.plot(table["step"], table["train_loss"], color="#0072b2", linestyle="--", label="training")
        panel.plot(table["step"], table["valid_loss"], color="#000000", label="held out")
        panel.plot(metrics["best_step"], metrics["valid_loss"], "o", color="#d55e00", markersize=4, label="kept")
        loss = metrics.get("test_loss", metrics["valid_loss"])  # older records have only what chose the weights
        panel.set(title=f"{task}: {loss:.3g} {metrics['unit']}", ylabel=metrics["unit"])
        panel.title.set_fontsize(7)
        panel.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, integer=True))
    for panel in panels:  # the place that an odd number leaves
        panel.set_axis_off()
    figure.legend(*next(iter(figure.axes)).get_legend_handles_labels(), loc="outside upper left", ncols=3)
    add_footnote(figure, list(trained.values()))
    return figure


def _trained(runs: Mapping[str, Record]) -> Record | None:
    """A record of the task that says how its weights were trained."""
    return next((record for record in runs.values() if record.meta.get("checkpoint", {}).get("curves")), None)
