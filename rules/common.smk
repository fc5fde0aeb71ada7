"""What the rules share: the checked configuration, and functions from wildcards to files and settings."""

import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(workflow.current_basedir).parent  # of the repository, also where it is a module of another workflow
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from bootstrap import unfit
from ffc.core.errors import FFCError
from ffc.core.names import nearest
from ffc.models.kinds import KINDS
from ffc.paper.tasks import MODULES as EXPERIMENTS
from ffc.paper.views import NOTEBOOKS, PAPER
import hooks
import imports
import jobs
from checks import reference_of
from presets import check_config, load_presets
from schemas import experiment_of
from tasks import notebooks, papers_figures, stand_ins

START = time.time()
for stream in (sys.stdout, sys.stderr):  # a locale may know few letters
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")

if problem := unfit(ROOT):
    raise WorkflowError(problem)

# The names of rules, as they are written.
NAMED = re.compile(r"^ *(?:rule|checkpoint|use rule \w+ as) (\w+)", re.M)
RULES = NAMED.findall("\n".join(map(Path.read_text, ROOT.glob("rules/*.smk"))))

try:
    # Faulty presets stop a run of their own, and no other one.
    FOLDERS = (ROOT / "config" / "presets", Path(config.get("presets") or "config/presets"))
    PRESETS, FAULTS = load_presets(*FOLDERS, taken={"all", "unknown", *RULES})
    if config.get("preset") in FAULTS:
        raise FFCError(FAULTS[config["preset"]])
    check_config(config, PRESETS)
except FFCError as error:
    raise WorkflowError(error)

TASKS = sorted({task for preset in PRESETS.values() for task in preset["tasks"]})
SHOWN = {name: notebooks(preset) for name, preset in PRESETS.items()}
# Presets with a GPU that have records to make, once the plan is there.
UNSOLVED = set()


def task_of(wildcards, *keys):
    """These keys of a task's section: a rule depends on what it is given, and on nothing else in the preset."""
    section = PRESETS[wildcards.preset]["tasks"][wildcards.task]
    return {key: section[key] for key in keys or section if key in section}


def keys_of(wildcards, *keys):
    """The same of a preset."""
    return {key: PRESETS[wildcards.preset][key] for key in keys}


def origin_of(wildcards):
    """Of a task's weights: a released file, or a model in the box, if one is named and could be had, else training."""
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


def code(script, modules=lambda wildcards: (), files=lambda wildcards: (), notebook=None, without="/"):
    """A parameter that changes with the files of the repository that a job runs: its script, its notebook, `modules`,
    which are found by name, all that these import, but for paths that begin with `without`; and with `files`.

    A parameter, as inputs would have to lie where the results do, on a cluster's storage or in another folder.
    """

    def digest(wildcards):
        roots = [f"workflow/scripts/{script}.py", *([f"notebooks/{notebook(wildcards)}.ipynb"] if notebook else [])]
        return imports.digest(tuple(roots), tuple(modules(wildcards)), tuple(files(wildcards)), without)

    return digest


def model_modules(wildcards):
    """The module of a task's model: the library's by its kind, or somebody's own. None of an RNN, which has no kind."""
    kind = task_of(wildcards, "model").get("model", {}).get("kind")
    return [(KINDS[kind].place if kind in KINDS else kind).partition(":")[0]] if kind else []


def job_of(preset, task, solver=None):
    """What is wildcards of a job in other rules."""
    return SimpleNamespace(preset=preset, task=task, solver=solver)


def scaled(wildcards):
    """The task whose weights are timed at other sizes."""
    return job_of(wildcards.preset, PRESETS[wildcards.preset]["scaling"]["task"])


def together():
    """The tasks whose solvers run in one process, each by the first job of it, and the solvers."""
    joined = [(name, task) for name, preset in PRESETS.items() if preset.get("one_process") for task in preset["tasks"]]
    solvers = [jobs.in_order(PRESETS[name]["tasks"][task]) for name, task in joined]
    return [(job_of(name, task, order[0]), order) for (name, task), order in zip(joined, solvers)]


def gpus(wildcards):
    return int(PRESETS[wildcards.preset].get("gpu", False))


def memory(wildcards, attempt):
    """Megabytes of a training or solving job; one that was tried in vain (`retries` of a profile) gets more."""
    return attempt * (16000 if gpus(wildcards) else 3000)


def cores_here():
    """The cores of this machine that jobs may use; None where they run on a cluster, which has jobs, not cores."""
    try:
        return workflow.cores
    except WorkflowError:
        return None


def all_cores():
    """Solvers are timed: a job that claims every core has no neighbour to disturb it."""
    return cores_here() or 4


def solver_inputs(wildcards):
    """What a solver's job reads: data and weights where it needs any, and the sequential answer to compare with."""
    preset, task, solver = wildcards.preset, wildcards.task, wildcards.solver
    section = task_of(wildcards)
    if solver not in (known := section["solvers"]):
        problem = f"has no {solver}{nearest(solver, known)}; it has {', '.join(known)}"
        raise WorkflowError(f"config/presets/{preset}.yaml: tasks.{task}.solvers {problem}")
    if gpus(wildcards) and not Path(f"results/{preset}/records/{task}/{solver}.npz").exists():
        UNSOLVED.add(preset)
    files = {} if experiment_of(section) == "sampling" else {"data": data_of(wildcards)}  # a sampler sees noise alone
    if "model" in section:
        files["checkpoint"] = f"results/{preset}/checkpoints/{task}.flax"
        files["about"] = f"results/{preset}/checkpoints/{task}.json"  # read with it
    if solver != (sequential := reference_of(section, solver)):
        files["reference"] = f"results/{preset}/records/{task}/{sequential}.npz"
    return files


def solver_modules(wildcards):
    """What a solver's job finds by name: the experiment, and the model."""
    return [EXPERIMENTS[experiment_of(task_of(wildcards))], *model_modules(wildcards)]


def records_of(preset, sections=None):
    return jobs.records_of(preset, PRESETS[preset], sections)


def results_of(preset):
    return jobs.pages_of(preset, PRESETS[preset])


def folder_of(records):
    """The folder of a notebook's records, where its job finds them; of no use before a checkpoint tells which."""
    return str(Path(records[0]).parent.parent)


def in_report(path, caption, category=lambda wildcards: figure_of(wildcards)[1], **labels):
    """A file of the report; a figure is in the category of its notebook."""
    return report(path, caption=f"../workflow/report/{caption}.rst", category=category, labels=labels)


def figures_in_report(path, category):
    """A folder of figures in the report, with the authors' curves."""
    named = {"figure": "{figure}", "format": "{format}"}
    files = {"patterns": ["{figure}.{format,png|svg}"], "caption": "../workflow/report/authors.rst"}
    return report(directory(path), category=category, labels=named, **files)


def notebook_of(wildcards):
    return SHOWN[wildcards.preset][wildcards.notebook]


def figure_of(wildcards):
    """The notebook that draws a figure, its title, and what the figure is."""
    figures = jobs.figures_of(PRESETS[wildcards.preset])
    if wildcards.figure not in figures:
        raise WorkflowError(f"{wildcards.figure}: no figure of {wildcards.preset}{nearest(wildcards.figure, figures)}")
    return figures[wildcards.figure]


def caption_of(wildcards):
    preset = PRESETS[wildcards.preset]
    return jobs.caption(preset, figure_of(wildcards)[2], boxed=config["checkpoints"]["mode"] != "trained")


def refused(wildcards):
    raise WorkflowError(hooks.problem_of_target(wildcards.target, PRESETS, FAULTS))


def authors_figures(preset):
    """The figures that the authors' results allow, with the records of each; none where nothing released is wanted."""
    if config["checkpoints"]["mode"] == "trained" or not jobs.named_in(PRESETS[preset], "released"):
        return {}
    note = checkpoints.find_released.get(preset=preset).output[0]
    return json.loads(Path(note).read_text())["authors"]


def authors_notebooks(preset):
    """Each notebook that has any of these figures, with those that it has."""
    drawn = authors_figures(preset)
    shown = {
        name: [figure for figure in notebook.figures if figure in drawn] for name, notebook in SHOWN[preset].items()
    }
    return {name: figures for name, figures in shown.items() if figures}


def authors_pages(preset):
    """What the report shows of them."""
    figures = [f"results/{preset}/authors/figures/{name}" for name in authors_notebooks(preset)]
    return [*figures, f"results/{preset}/overlay/figures"] if figures else []


def authors_wanted(wildcards):
    """The figures of a notebook, or all."""
    notebook = wildcards.get("notebook")
    figures = authors_notebooks(wildcards.preset).get(notebook) if notebook else [*authors_figures(wildcards.preset)]
    if not figures:
        raise WorkflowError(f"results/{wildcards.preset}/authors: there are no results of theirs that this shows")
    return figures


def authors_records(wildcards):
    drawn = authors_figures(wildcards.preset)
    records = sorted({record for figure in authors_wanted(wildcards) for record in drawn[figure]})
    return [f"results/{wildcards.preset}/authors/records/{record}.npz" for record in records]


def records_beside(wildcards):
    """Our records of the tasks that stand for theirs."""
    papers = {Path(record).parent.name for record in authors_records(wildcards)}
    standing = stand_ins(PRESETS[wildcards.preset]["tasks"])
    return records_of(wildcards.preset, [standing[paper] for paper in sorted(papers)])


# Measured records that the repository keeps, as <device>/<preset>.
KEPT = Path("results/reference")
REFERENCES = [str(path.parent.relative_to(KEPT)) for path in KEPT.glob("*/*/records")]


def reference_records(wildcards):
    return sorted(map(str, KEPT.glob(f"{wildcards.reference}/records/*/*.npz")))


def reference_pages(reference):
    """All that can be drawn again of the records of one preset on one device."""
    tasks = {path.parent.name for path in KEPT.glob(f"{reference}/records/*/*.npz")}
    needed = {paper.notebook for name, paper in PAPER.items() if name in tasks} | ({"scaling"} & tasks)
    return [f"results/reference/{reference}/notebooks/{name}.ipynb" for name in (*sorted(needed), "summary")]
