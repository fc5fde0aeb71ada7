"""Times of the RNN's forward and backward pass by the length of the sequence."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import rnn_scaling

    params = snakemake.params
    record = rnn_scaling.run(params.settings, data=snakemake.input.data, seed=params.seed, repeats=params.repeats)
    record.save(snakemake.output[0])
