"""Measure something besides whole solves, by the function of an experiment that the rule names."""

from importlib import import_module

from _entry import job

with job(snakemake):
    params = snakemake.params
    module, _, name = params.function.partition(":")
    measure = getattr(import_module(module), name)
    measure(params.settings, **params.words, **snakemake.input).save(snakemake.output[0])
