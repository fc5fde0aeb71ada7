"""Data sets, as the records that training and solving read."""


rule data:
    input:
        lib=library("data"),
    output:
        "results/{preset}/data/{task}.npz",
    log:
        "logs/{preset}/data/{task}.log",
    benchmark:
        "benchmarks/{preset}/data/{task}.tsv"
    conda:
        "../envs/ffc.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        data=lambda wildcards: task_of(wildcards, "data")["data"],
    message:
        "Data of {wildcards.task}: {params.data[name]}"
    script:
        "../workflow/scripts/data.py"
