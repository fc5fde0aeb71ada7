"""The experiments: each solver of each task is a job of its own."""


rule solve:
    input:
        unpack(solver_inputs),
    output:
        "results/{preset}/records/{task}/{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/{solver}.tsv"
    wildcard_constraints:
        solver=r"(?!gradients_)\w+",
        preset="|".join(name for name in PRESETS if not PRESETS[name].get("one_process")) or "(?!)",
    priority: 1  # what needs one core alone is then left over, and runs side by side
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=240,
        gpu=gpus,
    params:
        code=code("solve", solver_modules),
        request=lambda wildcards: jobs.request(PRESETS[wildcards.preset], wildcards.task, wildcards.solver),
    message:
        "{wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/solve.py"


# Starting a process, and compiling what solvers share, takes longer than a small task: of a preset that wants it, all
# solvers of a task are one job. A rule for each, as a wildcard does not say which solvers there are.
for one, solvers in together():

    rule:
        name:
            f"solve_{one.preset}_{one.task}"
        input:
            unpack(lambda wildcards, one=one: solver_inputs(one)),
        output:
            [f"results/{one.preset}/records/{one.task}/{solver}.npz" for solver in solvers],
        log:
            f"logs/{one.preset}/solve/{one.task}.log",
        benchmark:
            f"benchmarks/{one.preset}/solve/{one.task}.tsv"
        priority: 1
        conda:
            "../envs/ffc.yaml"
        threads: all_cores()
        resources:
            mem_mb=lambda wildcards, attempt, one=one: memory(one, attempt),
            runtime=240,
            gpu=gpus(one),
        params:
            code=lambda wildcards, one=one: code("solve", solver_modules)(one),
            request=jobs.request(PRESETS[one.preset], one.task, *solvers),
        message:
            f"{one.task} by {', '.join(solvers)}"
        script:
            "../workflow/scripts/solve.py"


rule gradients:
    input:
        trained="results/{preset}/records/{task}/feedforward.npz",
        data="results/{preset}/data/{task}.npz",
    output:
        "results/{preset}/records/{task}/gradients_{solver}.npz",
    log:
        "logs/{preset}/solve/{task}/gradients_{solver}.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}/gradients_{solver}.tsv"
    wildcard_constraints:
        solver="feedforward|jacobi",
    conda:
        "../envs/ffc.yaml"
    resources:
        mem_mb=memory,
        runtime=60,
        gpu=gpus,
    params:
        code=code("gradients"),
        settings=lambda wildcards: task_of(wildcards, "data", "hidden", "scale", "samples"),
        seed=lambda wildcards: preset_of(wildcards, "seed"),
    message:
        "Gradient errors of {wildcards.task} by {wildcards.solver}"
    script:
        "../workflow/scripts/gradients.py"


rule rnn_scaling:
    input:
        data="results/{preset}/data/{task}.npz",
    output:
        "results/{preset}/records/{task}_scaling/scaling.npz",
    log:
        "logs/{preset}/solve/{task}_scaling.log",
    benchmark:
        "benchmarks/{preset}/solve/{task}_scaling.tsv"
    priority: 1
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=60,
        gpu=gpus,
    params:
        code=code("rnn_scaling"),
        settings=lambda wildcards: task_of(wildcards, "hidden", "scale", "lengths"),
        seed=lambda wildcards: preset_of(wildcards, "seed"),
        repeats=lambda wildcards: preset_of(wildcards, "repeats"),
    message:
        "Times of {wildcards.task} by length"
    script:
        "../workflow/scripts/rnn_scaling.py"


rule scaling:
    input:
        checkpoint=lambda wildcards: f"results/{{preset}}/checkpoints/{scaled(wildcards).task}.flax",
        about=lambda wildcards: f"results/{{preset}}/checkpoints/{scaled(wildcards).task}.json",
    output:
        "results/{preset}/records/scaling/sampling.npz",
    log:
        "logs/{preset}/solve/scaling.log",
    benchmark:
        "benchmarks/{preset}/solve/scaling.tsv"
    priority: 1
    conda:
        "../envs/ffc.yaml"
    threads: all_cores()
    resources:
        mem_mb=memory,
        runtime=120,
        gpu=gpus,
    params:
        code=code("scaling", lambda wildcards: model_modules(scaled(wildcards))),
        settings=lambda wildcards: jobs.sizes(PRESETS[wildcards.preset]),
        task=lambda wildcards: scaled(wildcards).task,
        seed=lambda wildcards: preset_of(wildcards, "seed"),
        repeats=lambda wildcards: preset_of(wildcards, "repeats"),
    message:
        "Times of {params.task} by size"
    script:
        "../workflow/scripts/scaling.py"
