#!/usr/bin/env bash
# Score the test video on the nodes of a job; table, metrics.json and report.html in the folder of the run.
#
#   slurm/evaluate.sh [--config FILE] [--dotted.overrides ...]    submit it, with the sbatch options of slurm/site.sh
#   slurm/evaluate.sh --dry-run ...                               show what would be submitted, and run
#   sbatch [options] slurm/evaluate.sh ...                        submit it with other options, from the repository
#
# It evaluates the last finished state of the run, and those before it; --state DIR names another.
#SBATCH --job-name=evaluate
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --kill-on-invalid-dep=yes
# A job runs a copy of this file from Slurm's spool; the repository is where sbatch was called.
source "${DIST_VAD_ROOT:-${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}}/slurm/common.sh" || exit 2

read_arguments "$@"
in_job || submit_itself evaluate "${EVALUATE_JOB[@]}"
prepare_launch launch/evaluate.py
run_until_done
