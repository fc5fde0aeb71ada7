"""Times of the RNN's forward and backward pass by the length of the sequence."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import rnn_scaling

    params, files = snakemake.params, {"data": snakemake.input.data}
    asked = {"task": snakemake.wildcards.task, "seed": params.seed, "repeats": params.repeats}
    record = rnn_scaling.run(params.settings, **files, **asked)
    record.save(snakemake.output[0])
