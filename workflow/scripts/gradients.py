"""How the RNN's gradient approaches the exact one, before and after training."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments.rnn import gradient_errors

    files = {name: snakemake.input[name] for name in ("trained", "data")}
    wildcards, params = snakemake.wildcards, snakemake.params
    record = gradient_errors(params.settings, wildcards.solver, **files, seed=params.seed, task=wildcards.task)
    record.save(snakemake.output[0])
