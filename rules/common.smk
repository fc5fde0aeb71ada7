"""What the rules share: the checked configuration, and functions from wildcards to files and settings."""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from snakemake.io import sourcecache_entry

from presets import ConfigError, check_config, load_presets

START = time.time()

try:
    PRESETS = load_presets(Path("config/presets"))
    check_config(config, PRESETS)
except ConfigError as error:
    raise WorkflowError(error)

# Each task's module in ffc/experiments, its kind of model, and the solver that gives the sequential answer.
TASKS = {
    "rnn": ("rnn", "rnn", "feedforward"),
    "densenet": ("densenet", "densenet", "feedforward"),
    "made_mnist": ("sampling", "made", "sequential"),
    "made_cifar": ("sampling", "made", "sequential"),
    "pixelcnnpp_mnist": ("sampling", "pixelcnnpp", "sequential"),
    "pixelcnnpp_cifar10": ("sampling", "pixelcnnpp", "sequential"),
}

# Each notebook's title in the report, its tasks, and the figures that it draws.
NOTEBOOKS = {
    "rnn_backprop": (
        "RNN backpropagation",
        ["rnn"],
        ["rnn_begin", "rnn_end", "rnn_backprop", "rnn_backprop_iter", "rnn_scaling"],
    ),
    "densenet": (
        "DenseNet inference",
        ["densenet"],
        ["densenet_outputs", "densenet_outputs_log", "densenet_iter", "densenet"],
    ),
    "made": (
        "MADE sampling",
        ["made_mnist", "made_cifar"],
        [f"made_{data}{view}" for data in ("mnist", "cifar") for view in ("", "_time_nolog", "_time_nolog_iter")],
    ),
    "pixelcnnpp": (
        "PixelCNN++ sampling",
        ["pixelcnnpp_mnist", "pixelcnnpp_cifar10"],
        [f"pixelcnnpp_{data}{view}" for data in ("mnist", "cifar10") for view in ("", "_iter")],
    ),
    "scaling": ("Sampling by size", ["scaling"], ["sampling_scaling"]),
}

# What each figure is written as; the last is for LaTeX, and no picture of the report.
FORMATS = ("png", "svg", "pdf")


def notebooks_of(preset):
    """The notebooks whose tasks a preset has, all of them."""
    return [name for name, (_, needed, _) in NOTEBOOKS.items() if set(needed) <= set(sections_of(preset))]


def sections_of(preset):
    """The sections of a preset's tasks; `scaling` goes by that of the task whose weights it takes."""
    tasks, scaling = PRESETS[preset]["tasks"], PRESETS[preset].get("scaling")
    return tasks | ({"scaling": tasks[scaling["task"]]} if scaling else {})


def records_of(preset, tasks=None):
    """The records of a preset's tasks: one for each solver, the RNN's gradient errors, and times by length or size."""
    present = PRESETS[preset]["tasks"]
    names = [(task, solver) for task in tasks or present if task in present for solver in present[task]["solvers"]]
    if ("rnn", "feedforward") in names:
        names += [("rnn", "gradients_feedforward"), ("rnn", "gradients_jacobi"), ("rnn_scaling", "scaling")]
    if "scaling" in sections_of(preset) and "scaling" in (tasks or ["scaling"]):
        names.append(("scaling", "sampling"))
    return [f"results/{preset}/records/{task}/{name}.npz" for task, name in names]


def figures_of(preset):
    figures = [figure for name in notebooks_of(preset) for figure in NOTEBOOKS[name][2]] + ["training"]
    return [f"results/{preset}/figures/{figure}.{suffix}" for figure in figures for suffix in FORMATS]


def pages_of(preset):
    """All that the report shows."""
    tables = [f"results/{preset}/summary.{suffix}" for suffix in ("md", "csv", "html")]
    notebooks = [f"results/{preset}/notebooks/{name}.html" for name in (*notebooks_of(preset), "summary")]
    return [*figures_of(preset), *tables, *notebooks]


def results_of(preset):
    notebooks = [f"results/{preset}/notebooks/{name}.ipynb" for name in (*notebooks_of(preset), "summary")]
    return [*pages_of(preset), *notebooks, f"results/{preset}/report.html"]


def task_of(wildcards, *keys):
    """These keys of a task's section: a rule depends on what it is given, and on nothing else in the preset."""
    section = PRESETS[wildcards.preset]["tasks"][wildcards.task]
    return {key: section[key] for key in keys or section if key in section}


def preset_of(wildcards, key, default=None):
    return PRESETS[wildcards.preset].get(key, default)


# Keys of a task that say what its files hold: a record learns that from the files, which know it for certain.
_ELSEWHERE = ("data", "train_data", "train", "released")


def solver_settings(wildcards):
    """A task's settings with the entry of one solver alone, and without what decides data and weights."""
    section = task_of(wildcards)
    settings = {key: value for key, value in section.items() if key not in _ELSEWHERE}
    if wildcards.solver not in section["solvers"]:
        raise WorkflowError(
            f"config/presets/{wildcards.preset}.yaml: tasks.{wildcards.task}.solvers has no {wildcards.solver}; "
            f"it has {', '.join(section['solvers'])}"
        )
    return settings | {"solvers": {wildcards.solver: section["solvers"][wildcards.solver]}}


def gradient_settings(wildcards):
    section = PRESETS[wildcards.preset]["tasks"]["rnn"]
    return {key: section[key] for key in ("data", "hidden", "scale", "samples")}


def lengths_settings(wildcards):
    section = PRESETS[wildcards.preset]["tasks"]["rnn"]
    return {key: section[key] for key in ("hidden", "scale", "lengths")}


def sizes_settings(wildcards):
    """The preset's `scaling`, with the options of the system that its task samples from."""
    section = PRESETS[wildcards.preset]["scaling"]
    system = PRESETS[wildcards.preset]["tasks"][section["task"]].get("system", {})
    return {key: section[key] for key in ("sizes", "batches", "filters")} | {"system": system}


def solver_inputs(wildcards):
    """What a solver's job reads: data, weights where there are any, and the sequential answer to compare with."""
    preset, task = wildcards.preset, wildcards.task
    sequential = TASKS[task][2]
    files = {"data": data_of(wildcards)}
    if "model" in task_of(wildcards):
        files["checkpoint"] = f"results/{preset}/checkpoints/{task}.flax"
        files["about"] = f"results/{preset}/checkpoints/{task}.json"  # read with it
    if wildcards.solver != sequential:
        files["reference"] = f"results/{preset}/records/{task}/{sequential}.npz"
    return files


def origin_of(wildcards):
    """Of a task's weights: a released file where the preset names one and it could be had, else training."""
    released = task_of(wildcards).get("released")
    if not released or config["checkpoints"]["mode"] == "trained":
        return "trained"
    note = checkpoints.find_released.get(preset=wildcards.preset).output[0]
    return "released" if released in json.loads(Path(note).read_text())["files"] else "trained"


def weights_of(wildcards):
    return [f"results/{{preset}}/checkpoints/{origin_of(wildcards)}/{{task}}.{suffix}" for suffix in ("flax", "json")]


def data_of(wildcards):
    """The data that a solver runs on: the task's, unless its weights were trained here on data of their own."""
    apart = "train_data" in task_of(wildcards) and origin_of(wildcards) == "trained"
    return train_data_of(wildcards) if apart else f"results/{wildcards.preset}/data/{wildcards.task}.npz"


def train_data_of(wildcards):
    """The data that weights are trained on."""
    suffix = "_trained" if "train_data" in task_of(wildcards) else ""
    return f"results/{wildcards.preset}/data/{wildcards.task}{suffix}.npz"


def source(path):
    """A file of the repository as a rule's input: every job has it beside the Snakefile, wherever results are kept.

    Snakemake would look for it in a storage; what it calls `local` ties jobs to the machine that submits them.
    """
    return sourcecache_entry(path, path)


def library(*names):
    """Files of `ffc` that decide a rule's result; Snakemake doesn't see what a script imports."""
    files = []
    for name in names:
        path = Path(workflow.basedir) / "ffc" / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return [source(str(path.relative_to(workflow.basedir))) for path in files]


def model_library(wildcards):
    kind = TASKS[wildcards.task][1]
    return library("models/base", f"models/{kind}")


def solver_library(wildcards):
    experiment, kind, _ = TASKS[wildcards.task]
    return library(
        "system",
        "solvers",
        "solve",
        "loop",
        "stages",
        "solution",
        "guess",
        "named",
        "tune",
        "history",
        "measure",
        "experiments/job",
        f"experiments/{experiment}",
        "models/base",
        f"models/{kind}",
    )


def gpus(wildcards):
    return 1 if preset_of(wildcards, "gpu", False) else 0


def require_gpu():
    """Don't start by accident what needs days without a GPU. A cluster has its own."""
    asking = {job.wildcards.preset for job in workflow.dag.needrun_jobs() if job.resources.get("gpu")}
    if not asking or not workflow.local_exec or config["without_gpu"] or has_gpu():
        return
    costs = [
        f"preset {name}: {PRESETS[name]['without_gpu']}" for name in sorted(asking) if "without_gpu" in PRESETS[name]
    ]
    raise WorkflowError(
        "Jobs of this run ask for a GPU, and this machine shows none (nvidia-smi -L).",
        *(f"Without one, {cost}." for cost in costs),
        "`snakemake quick` needs none and takes minutes, `laptop` an hour or two on real data; `small` is for one GPU.",
        "To go on all the same: --config without_gpu=True",
    )


def has_gpu():
    try:
        return bool(subprocess.run(["nvidia-smi", "-L"], capture_output=True).stdout.strip())
    except OSError:
        return False


def memory(wildcards, attempt):
    """Megabytes of a training or solving job; one that was tried in vain (`retries` of a profile) gets more."""
    return attempt * (16000 if preset_of(wildcards, "gpu", False) else 3000)


def all_cores():
    """Solvers are timed: a job that claims every core has no neighbour to disturb it."""
    try:
        return workflow.cores
    except WorkflowError:  # a cluster has jobs, not cores
        return 4


def storage_arguments():
    """What a second Snakemake must be told to find results where a profile keeps them."""
    settings = workflow.storage_settings
    if not settings.default_storage_provider:
        return []
    names = ("default_storage_provider", "default_storage_prefix")
    return [f"--{name.replace('_', '-')}={getattr(settings, name)}" for name in names]


def records_of_tasks(tasks):
    return lambda wildcards: records_of(wildcards.preset, tasks)


def data_names(tasks):
    """The data sets' names for the captions; a figure must not say MNIST where it shows digits.

    Which of two it was is known when the weights have been looked for, later than captions are made.
    """

    def name(section):
        other = section.get("train_data", {}).get("name")
        return section["data"]["name"] + (f" (of {other} where the weights were trained here)" if other else "")

    return lambda wildcards: {
        task: name(section) for task, section in sections_of(wildcards.preset).items() if task in tasks
    }


def figure_outputs(title, figures):
    return [figure_output(title, figure, suffix) for figure in figures for suffix in FORMATS]


def figure_output(title, figure, suffix):
    path = f"results/{{preset}}/figures/{figure}.{suffix}"
    if suffix == "pdf":
        return path
    caption = f"../workflow/report/{figure}.rst"
    return report(path, caption=caption, category=title, labels={"figure": figure, "format": suffix})


def notebook_page(name):
    path = f"results/{{preset}}/notebooks/{name}.html"
    return report(path, caption="../workflow/report/notebook.rst", category="Notebooks", labels={"notebook": name})


def notebook_parameters(wildcards, input, output):
    """The folders that a notebook reads and writes, where a job finds them."""
    return {"records": str(Path(input.records[0]).parents[1]), "figures": str(Path(output.figures[0]).parent)}


def released_files(preset):
    """The released file that each task asks for."""
    tasks = PRESETS[preset]["tasks"]
    return sorted(settings["released"] for settings in tasks.values() if "released" in settings)


def elapsed():
    seconds = round(time.time() - START)
    return f"{seconds // 60} min {seconds % 60} s"


def new_reports():
    """A line for each report that this run wrote."""
    reports = [Path(f"results/{preset}/report.html") for preset in PRESETS]
    return [f"Open {path} in a browser." for path in reports if path.exists() and path.stat().st_mtime >= START]
