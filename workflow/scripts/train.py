"""Train a task's model, or go on where a killed run stopped."""

import shutil
from pathlib import Path

from _entry import job

with job(snakemake):
    from ffc import models
    from ffc.core.errors import FFCError
    from ffc.data import Dataset
    from ffc.store import checkpoints
    from ffc.store.records import provenance
    from ffc.training import TrainSettings, train

    name, task, seed = snakemake.wildcards.task, snakemake.params.task, snakemake.params.seed
    if "train" not in task:
        raise FFCError(
            f"{name}: its released weights could not be had, and the preset has no train section for it; name a "
            "folder that holds them (checkpoints.source in config/config.yaml), or say how to train"
        )
    data = Dataset.load(snakemake.input.data)
    model = models.build(task["model"], data.shape, data.classes)
    weights = Path(snakemake.output.weights)
    state = weights.parents[1] / ".training" / name
    result = train(model, data, TrainSettings.of(task["train"]), seed, state)
    about = {
        "origin": "trained",
        "data": {"name": data.name, "title": data.title},
        "train": task["train"],
        "seed": seed,
    }
    checkpoints.save(
        weights, model, result.params, {**about, "metrics": result.metrics, "curves": result.curves, **provenance()}
    )
    shutil.rmtree(state)
