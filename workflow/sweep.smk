# The stages of a sweep. `make sweep` calls it; by hand, or on a cluster, from the repository's root:
#
#     snakemake -s workflow/sweep.smk --cores 2 --keep-going --ignore-incomplete --config sweep=config/sweeps/ci.yml
#     snakemake -s workflow/sweep.smk --profile workflow/profiles/slurm --config sweep=config/sweeps/full-open.yml
#
# A stage is one notebook with the parameters that decide it; cells that agree on them share it. Its folder is named by
# a digest of these parameters and of the code, so a stage is either there or not: nothing has to be compared.

import atexit
import contextlib
import os
import sys

from helpers.errors import ConfigError, RunError
from helpers.runs import warm
from helpers.sweeps import plan, stages

try:
    PLAN = plan.plan(plan.read_sweep(config.get("sweep", "ci")))
    CHOSEN = plan.part_of(PLAN, config["part"]) if "part" in config else PLAN
except (ConfigError, RunError) as error:
    raise WorkflowError(str(error)) from None

if "SLURM_STEP_ID" in os.environ:  # in a job, which executes many stages: they begin as copies of one process
    ENDING = contextlib.ExitStack()
    os.environ |= ENDING.enter_context(warm.server(prepare="helpers.sweeps.stages"))
    atexit.register(ENDING.close)

localrules:
    collect,


EXEC = "" if os.name == "nt" else "exec "  # the call's parent is this process, and no shell in between
FOLDER = plan.sweep_folder(PLAN.sweep.name)
PLAN_FILE = stages.write_plan(PLAN)


def status_of(notebook, digest):
    return FOLDER / "stages" / notebook / digest / "status.json"


# No output: it is always asked for, and so is every stage that is missing.
rule collect:
    input:
        [status_of(plan.FINAL, cell.stages[plan.FINAL]) for cell in CHOSEN.cells],
    params:
        sweep=config.get("sweep", "ci"),
    shell:
        "{sys.executable:q} -m helpers.sweeps.stages collect --silent {params.sweep:q}"


# A rule for each notebook: the stages of one do not need each other, so a profile can put many of them into one job of a
# cluster. A status that is there stays when its job is started again: the stage then ends at once.
for NOTEBOOK in plan.NOTEBOOKS:

    rule:
        name:
            f"stage_{NOTEBOOK}"
        input:
            lambda wildcards: [
                ancient(status_of(*need)) for need in PLAN.stages[wildcards.notebook, wildcards.digest].needs
            ],
        output:
            update(FOLDER / "stages" / "{notebook}" / "{digest}" / "status.json"),
        wildcard_constraints:
            notebook=NOTEBOOK,
            digest="[0-9a-f]+",
        threads: 1
        resources:
            mem_mb=2000,
            runtime=lambda wildcards, attempt: 10 * attempt,
        shell:
            EXEC + "{sys.executable:q} -m helpers.runs.warm call helpers.sweeps.stages stage {PLAN_FILE:q} {wildcards.notebook} {wildcards.digest}"
