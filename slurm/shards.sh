#!/usr/bin/env bash
# Write the shard sets of a run. Its ranks never talk: a job of many tasks, an array of jobs, or an array of such.
#
#   slurm/shards.sh [--config FILE] [--dotted.overrides ...]         submit it, with the sbatch options of slurm/site.sh
#   slurm/shards.sh --dry-run ...                                    show what would be submitted, and run
#   sbatch --ntasks=32 slurm/shards.sh ...                           submit it with other options, from the repository
#   sbatch --array=0-31 slurm/shards.sh ...                          one rank after another, as nodes get free
#
# The configuration is that of the run: what it says under `data` is cut, and goes to where it says `shards`.
#SBATCH --job-name=shards
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
#SBATCH --kill-on-invalid-dep=yes
# A job runs a copy of this file from Slurm's spool; the repository is where sbatch was called.
source "${DIST_VAD_ROOT:-${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}}/slurm/common.sh" || exit 2

read_arguments "$@"
in_job || submit_itself shards "${SHARDS_JOB[@]}"

# What the producer reads, from the settings of the run; each job of an array has a file of its own.
data=$LOG/data-${SLURM_JOB_ID:-0}.json
if [[ ! $DRY_RUN ]]; then
    mkdir -p "$LOG"
    "$PYTHON" slurm/settings.py data "${ARGUMENTS[@]}" >"$data"
fi
# Where this job stands in an array of jobs.
job=$(((${SLURM_ARRAY_TASK_ID:-0} - ${SLURM_ARRAY_TASK_MIN:-0}) / ${SLURM_ARRAY_TASK_STEP:-1}))
STEP=(srun slurm/rank.sh "$job" "${SLURM_ARRAY_TASK_COUNT:-1}"
    "$PYTHON" shards/write.py --config "$data" --out "$SHARDS" "${PRODUCER[@]}")
POSITION=(--shards "$SHARDS")
run_until_done
