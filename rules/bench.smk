"""All solvers of a preset against each other in one process: `snakemake bench`, or `results/<preset>/bench.md`."""


rule bench:
    input:
        f"results/{config['preset']}/bench.md",
    localrule: True


rule bench_preset:
    input:
        records=lambda wildcards: records_of(wildcards.preset),
    output:
        record="results/{preset}/bench.npz",
        table="results/{preset}/bench.md",
    log:
        "logs/{preset}/bench.log",
    benchmark:
        "benchmarks/{preset}/bench.tsv"
    conda:
        "../envs/notebook.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=240,
        gpu=gpus,
    params:
        code=code("bench", bench_modules),
        results="results/{preset}",
        repeats=lambda wildcards: preset_of(wildcards, "repeats"),
    message:
        "All solvers of {wildcards.preset} in turn"
    script:
        "../workflow/scripts/bench.py"
