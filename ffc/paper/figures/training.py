"""Learning curves of the weights that were trained here, or come with the box."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from ffc.paper.figures.page import PAGE, add_footnote
from ffc.paper.figures.style import styled
from ffc.store.records import Record


@styled
def curves(records: Mapping[str, Mapping[str, Record]]) -> Figure:
    """Training and held-out loss against steps, a panel headed by the test loss for each task with weights of its own.

    Released weights, and those that were validated once, have no curve.
    """
    trained = _trained(records)
    figure = Figure(figsize=(PAGE, 1.9 * max(1, (len(trained) + 1) // 2)))
    if not trained:
        figure.text(0.5, 0.5, "No weights come with a curve.", ha="center")
        return figure
    panels = figure.subplots(-(-len(trained) // 2), 2, squeeze=False).flat
    for (task, record), panel in zip(trained.items(), panels, strict=False):
        checkpoint = record.meta["checkpoint"]
        table, metrics = checkpoint["curves"], checkpoint["metrics"]
        panel.plot(table["step"], table["train_loss"], color="#888888", linestyle="--", label="training")
        panel.plot(table["step"], table["valid_loss"], color="#000000", label="held out")
        best = table["valid_loss"][table["step"].index(metrics["best_step"])]
        panel.plot(metrics["best_step"], best, "ko", markersize=4, label="kept")
        loss = metrics.get("test_loss", best)  # older records have only what chose the weights
        panel.set(title=f"{task}: test {loss:.3g} {metrics['unit']}, {metrics['steps']:,} steps")
        panel.set(xlabel="training steps", ylabel=f"loss ({metrics['unit']})")
        panel.title.set_fontsize(7)
        panel.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4, integer=True, steps=(1, 2, 5, 10)))
    for panel in panels:  # the place that an odd number leaves
        panel.set_axis_off()
    figure.legend(*next(iter(figure.axes)).get_legend_handles_labels(), loc="outside upper left", ncols=3)
    add_footnote(figure, list(trained.values()), parts=("Data", "Device"))
    return figure


def _trained(records: Mapping[str, Mapping[str, Record]]) -> dict[str, Record]:
    """By task, a record that says how its weights were trained; tasks that share weights count once."""
    records_of: dict[str, Record] = {}
    for record in (record for runs in records.values() for record in runs.values()):
        if len(record.meta.get("checkpoint", {}).get("curves", {}).get("step", ())) > 1:
            records_of.setdefault(record.meta["task"], record)
    return records_of
