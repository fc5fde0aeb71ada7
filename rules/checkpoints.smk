"""Weights of each model: the authors' released file, or a model in the box, where the preset names one and it can be had,
else trained here."""


# A Snakemake checkpoint: what it finds decides which tasks are trained, and which of the authors' results are drawn.
checkpoint find_released:
    output:
        "results/{preset}/checkpoints/released.json",
    log:
        "logs/{preset}/checkpoints/find_released.log",
    benchmark:
        "benchmarks/{preset}/checkpoints/find_released.tsv"
    localrule: True
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code(
            "find_released",
            files=lambda wildcards: jobs.boxed_files(jobs.named_in(PRESETS[wildcards.preset], "weights")),
        ),
        files=lambda wildcards: jobs.named_in(PRESETS[wildcards.preset], "released"),
        box=lambda wildcards: jobs.named_in(PRESETS[wildcards.preset], "weights"),
        figures=lambda wildcards: papers_figures(PRESETS[wildcards.preset]),
        mode=config["checkpoints"]["mode"],
        source=config["checkpoints"]["source"],
        sha256=config["checkpoints"]["sha256"],
    message:
        "Released checkpoints ({params.mode}): {params.files} {params.box}"
    script:
        "../workflow/scripts/find_released.py"


rule import_released:
    input:
        note="results/{preset}/checkpoints/released.json",
    output:
        weights="results/{preset}/checkpoints/released/{task}.flax",
        about="results/{preset}/checkpoints/released/{task}.json",
    log:
        "logs/{preset}/checkpoints/import_released/{task}.log",
    benchmark:
        "benchmarks/{preset}/checkpoints/import_released/{task}.tsv"
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code(
            "import_released",
            model_modules,
            files=lambda wildcards: jobs.boxed_files(task_of(wildcards, "weights").values()),
        ),
        task=lambda wildcards: task_of(wildcards, "released", "weights", "model", "data"),
    message:
        "Released weights for {wildcards.task}"
    script:
        "../workflow/scripts/import_released.py"


rule weights:
    input:
        weights_of,
    output:
        weights="results/{preset}/checkpoints/{task}.flax",
        about="results/{preset}/checkpoints/{task}.json",
    log:
        "logs/{preset}/checkpoints/weights/{task}.log",
    benchmark:
        "benchmarks/{preset}/checkpoints/weights/{task}.tsv"
    # A copy, which lets a timed job begin.
    priority: 1
    localrule: True
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=100,
        runtime=5,
    params:
        folder=lambda wildcards, output: Path(output.weights).parent,
    message:
        "Weights of {wildcards.task}"
    shell:
        # No links: Snakemake touches outputs in turn, and would find one older than the input that another is.
        "cp {input} {params.folder} > {log} 2>&1 && rm -rf {params.folder}/.training/{wildcards.task}"
