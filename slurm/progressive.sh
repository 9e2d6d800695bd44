#!/usr/bin/env bash
# Train the whole curriculum on the nodes of a job. A time limit, a pre-emption or a lost node costs a requeue, no more.
#
#   slurm/progressive.sh [--config FILE] [--dotted.overrides ...]    submit it, with the sbatch options of slurm/site.sh
#   slurm/progressive.sh --dry-run ...                               show what would be submitted, and run
#   sbatch [options] slurm/progressive.sh ...                        submit it with other options, from the repository
#
# Without --config it takes configs/default.yaml, and makes what is missing.
#SBATCH --job-name=progressive
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --kill-on-invalid-dep=yes
# A job runs a copy of this file from Slurm's spool; the repository is where sbatch was called.
source "${DIST_VAD_ROOT:-${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}}/slurm/common.sh" || exit 2

read_arguments "$@"
in_job || submit_itself progressive "${TRAIN_JOB[@]}"
prepare_launch launch/progressive.py
run_until_done
