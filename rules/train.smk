"""Training. Its state is kept in `checkpoints/.training/<task>`, where a run that was killed is taken up again.

It goes when the weights are accepted (rule `weights`). Small networks gain little from a second core, so a job has one,
and two may train side by side."""


rule train:
    input:
        data=train_data_of,
    output:
        weights="results/{preset}/checkpoints/trained/{task}.flax",
        about="results/{preset}/checkpoints/trained/{task}.json",
    log:
        "logs/{preset}/train/{task}.log",
    benchmark:
        "benchmarks/{preset}/train/{task}.tsv"
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=memory,
        runtime=1440,
        gpu=gpus,
    params:
        # Hours of training do not begin anew where a solver changes: a loss does not solve.
        code=code("train", model_modules, without="ffc/core/"),
        task=lambda wildcards: task_of(wildcards, "model", "train"),
        seed=lambda wildcards: PRESETS[wildcards.preset]["seed"],
    message:
        "Training of {wildcards.task}"
    script:
        "../workflow/scripts/train.py"
