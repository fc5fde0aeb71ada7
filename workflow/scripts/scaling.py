"""Times of PixelCNN++ by image size, batch and width."""

from _entry import job

with job(snakemake):
    from ffc.paper.experiments import scaling

    params = snakemake.params
    asked = {name: params[name] for name in ("task", "seed", "repeats")}
    record = scaling.run(params.settings, checkpoint=snakemake.input.checkpoint, **asked)
    record.save(snakemake.output[0])
