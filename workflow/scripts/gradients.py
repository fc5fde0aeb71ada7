"""How the RNN's gradient approaches the exact one, before and after training."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments.rnn import gradient_errors

    files = {name: snakemake.input[name] for name in ("trained", "data")}
    solver, params = snakemake.wildcards.solver, snakemake.params
    gradient_errors(params.settings, solver, **files, seed=params.seed).save(snakemake.output[0])
