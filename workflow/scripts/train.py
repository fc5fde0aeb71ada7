"""Train a task's model, or go on where a killed run stopped."""

from pathlib import Path

from _entry import job

with job(snakemake, precision=None):
    from ffc.core.errors import FFCError
    from ffc.data import Dataset
    from ffc.training import train_checkpoint

    name, task, seed = snakemake.wildcards.task, snakemake.params.task, snakemake.params.seed
    if "train" not in task:
        raise FFCError(
            f"{name}: its released weights could not be had, and the preset has no train section for it; name a "
            "folder that holds them (checkpoints.source in config/config.yaml), or say how to train"
        )
    weights = Path(snakemake.output.weights)
    state = weights.parents[1] / ".training" / name
    train_checkpoint(weights, task["model"], Dataset.load(snakemake.input.data), task["train"], seed, state)
