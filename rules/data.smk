"""Data sets, as the records that training and solving read."""


rule data:
    output:
        "results/{preset}/data/{task}{trained}.npz",
    log:
        "logs/{preset}/data/{task}{trained}.log",
    benchmark:
        "benchmarks/{preset}/data/{task}{trained}.tsv"
    wildcard_constraints:
        trained="|_trained",  # data that serve in place of the task's where the weights are trained here
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code("data"),
        data=data_settings,
        pictures=lambda wildcards: jobs.state_of_pictures(data_settings(wildcards), config["data"]["folder"]),
    message:
        "Data of {wildcards.task}: {params.data[name]}"
    script:
        "../workflow/scripts/data.py"
