"""What the rules share: the checked configuration, and functions from wildcards to files and settings."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path[:0] = [workflow.basedir, str(Path(workflow.basedir) / "workflow")]

from snakemake.io import sourcecache_entry

from bootstrap import unfit
from ffc.paper.tasks import MODULES as EXPERIMENTS
from first_page import verdict
import imports
import own
import progress
import targets
from presets import ConfigError, check_config, load_presets, reference_of
from tasks import MODELS, NOTEBOOKS, PAPER, experiment_of, notebooks, papers_figures, stand_ins

START = time.time()
for stream in (sys.stdout, sys.stderr):  # a locale may know few letters
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
PROGRESS = progress.watch(workflow)

if problem := unfit(Path(workflow.basedir)) or imports.future(START):
    raise WorkflowError(problem)

# What the command asks for; a job of a run, which has none, was looked at before.
TARGETS = targets.of_command(sys.argv) if workflow.is_main_process else []

# The names of rules, as they are written.
RULES = {
    name
    for file in Path(workflow.basedir).joinpath("rules").glob("*.smk")
    for name in re.findall(r"^ *(?:rule|checkpoint) (\w+):", file.read_text(), re.M)
}

try:
    PRESETS, faults = load_presets(Path("config/presets"), taken={"all", *RULES})
    # A faulty preset stops a run of its own, and no other one.
    for name, fault in faults.items():
        if name == config.get("preset") or targets.asks_for(name, TARGETS):
            raise ConfigError(fault)
        if workflow.is_main_process:
            print(f"{fault}\nWithout it, the others run.", file=sys.stderr)
    check_config(config, PRESETS)
    for name in PRESETS if workflow.is_main_process else ():
        if targets.asks_for(name, TARGETS or [config["preset"]]) and (
            problem := own.problem_of(name, PRESETS[name], workflow, config)
        ):
            raise ConfigError(problem)
except ConfigError as error:
    raise WorkflowError(error)

# Names of tasks, of all presets.
TASKS = sorted({task for preset in PRESETS.values() for task in preset["tasks"]})


def task_of(wildcards, *keys):
    """These keys of a task's section: a rule depends on what it is given, and on nothing else in the preset."""
    section = PRESETS[wildcards.preset]["tasks"][wildcards.task]
    return {key: section[key] for key in keys or section if key in section}


def preset_of(wildcards, key, default=None):
    return PRESETS[wildcards.preset].get(key, default)


def origin_of(wildcards):
    """Of a task's weights: a released file, or a model in the box, where the preset names one and it could be had, else
    training."""
    named = task_of(wildcards, "released", "weights")
    if not named or config["checkpoints"]["mode"] == "trained":
        return "trained"
    note = checkpoints.find_released.get(preset=wildcards.preset).output[0]
    found = json.loads(Path(note).read_text())
    return "released" if {*named.values()} & {*found["files"], *found.get("box", [])} else "trained"


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


def data_settings(wildcards):
    """The data set of a record: the task's, or that of weights that are trained."""
    return task_of(wildcards)["train_data" if wildcards.trained else "data"]


def boxed(name):
    """What the model `name` in the box is; None where the box has none of that name."""
    about = Path(workflow.basedir) / "ffc" / "box" / f"{name}.json"
    return json.loads(about.read_text()) if about.exists() else None


def boxed_names(preset):
    """The model in the box that each task asks for."""
    return sorted(settings["weights"] for settings in PRESETS[preset]["tasks"].values() if "weights" in settings)


def boxed_files(names):
    """Those of them that are in the box."""
    return [source(f"ffc/box/{name}.{suffix}") for name in names if boxed(name) for suffix in ("flax", "json")]


def source(path):
    """A file of the repository as a rule's input: every job has it beside the Snakefile, wherever results are kept.

    Snakemake would look for it in a storage; what it calls `local` ties jobs to the machine that submits them.
    """
    return sourcecache_entry(path, path)


def code(script, modules=lambda wildcards: [], notebook=None, without="/"):
    """A rule's input: the files of the repository that its script and its notebook run, and those of `modules`, which are
    found by name; but for those whose path begins with `without`."""

    def files(wildcards):
        roots = [f"workflow/scripts/{script}.py"]
        if notebook:
            roots.append(f"notebooks/{notebook.format(**dict(wildcards.items()))}.ipynb")
        return [source(path) for path in imports.closure(roots, modules(wildcards)) if not path.startswith(without)]

    return files


def model_modules(wildcards):
    """The module of a task's model: the library's by its kind, or somebody's own. None of an RNN, which has no kind."""
    kind = task_of(wildcards, "model").get("model", {}).get("kind")
    return [kind.partition(":")[0] if ":" in kind else f"ffc.models.{kind}"] if kind else []


def models_of(preset):
    """The modules of the models of all tasks of a preset."""
    return sorted({module for task in PRESETS[preset]["tasks"] for module in model_modules(task_at(preset, task))})


def task_at(preset, task):
    return SimpleNamespace(preset=preset, task=task)


def gpus(wildcards):
    return 1 if preset_of(wildcards, "gpu", False) else 0


def require_writable():
    """Before jobs have computed what they could not write."""
    for folder in filter(os.path.exists, (".", "results", "logs", "benchmarks")):
        if not os.access(folder, os.W_OK):
            raise WorkflowError(
                f"{os.path.abspath(folder)}: may not be written to; change that (chmod u+w, or how its disk is mounted), "
                "or run a copy of the project elsewhere"
            )


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
        "`snakemake quick` needs none and takes minutes, `laptop` about half an hour on real data; `small` is for one GPU.",
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


def released_files(preset):
    """The released file that each task asks for."""
    tasks = PRESETS[preset]["tasks"]
    return sorted(settings["released"] for settings in tasks.values() if "released" in settings)


def elapsed():
    seconds = round(time.time() - START)
    return f"{seconds // 60} min {seconds % 60} s"


def after_failure(logs):
    """What failed, once more, as it may have scrolled away, and what to do."""
    lines = [
        *(PROGRESS.failed if PROGRESS else []),
        "Once that is mended, repeat the command: what is finished stays, and training with the same settings goes on from its last state.",
    ]
    if any(re.search(r"SIG(KILL|ABRT)|exit status 13[47]", Path(log).read_text(errors="replace")) for log in logs):
        lines.append(
            "A job was killed. Unless somebody did that, memory ran out: close other programs, let fewer jobs run at "
            "once (--cores 1), or make batch, images or samples smaller in the preset."
        )
    return lines


def clear_progress():
    if PROGRESS:
        PROGRESS.clear()


def logs_of(files):
    """A line that says where Snakemake's full log is, for a terminal that shows little of it."""
    return [f"Snakemake's log: {', '.join(files)}"] if PROGRESS else []


def new_reports():
    """A line for each report that this run wrote."""
    return [f"Open {path} in a browser." for path in written("report.html")]


def verdicts():
    """What each table that this run wrote comes to, a line for each task."""
    return [line for path in written("summary.md") for line in verdict(path)[0]]


def written(name):
    """The file `name` of each preset, where this run wrote it."""
    files = [Path(f"results/{preset}/{name}") for preset in PRESETS]
    return [path for path in files if path.exists() and path.stat().st_mtime >= START]
