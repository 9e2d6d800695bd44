#!/usr/bin/env bash
# Train and measure all rows of a table: each stage of its tree in a job of its own, after the job of the stage it
# starts from. A common beginning is trained once, and branches run side by side.
#
#   slurm/ablation.sh [--config FILE] [--dotted.overrides ...]       submit what is not done yet, and a job for the table
#   slurm/ablation.sh --dry-run ...                                  show what would be submitted
#   sbatch [options] slurm/ablation.sh --stage KEY ...               one stage of the tree, from the repository
#
# Without --config it takes configs/ablation/table3.yaml. Where a stage fails, what grows from it is cancelled, and the
# table with it; submitted again, it goes on with what is there.
#SBATCH --job-name=ablation
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --kill-on-invalid-dep=yes
# A job runs a copy of this file from Slurm's spool; the repository is where sbatch was called.
source "${DIST_VAD_ROOT:-${SLURM_SUBMIT_DIR:-$(dirname "$0")/..}}/slurm/common.sh" || exit 2

export CONFIGURES=table
read_arguments "$@"
if in_job; then
    # What other stages do is no progress of this one.
    POSITION=(--stage "$("$PYTHON" slurm/stages.py folder "${ARGUMENTS[@]}")")
    prepare_launch launch/ablation.py
    run_until_done
    exit
fi

# One line for each stage that is not done, parents first: its key, that of its parent (or -), its name.
stages=$("$PYTHON" slurm/stages.py open "${ARGUMENTS[@]}")
given=("${ARGUMENTS[@]}")
submit shards "${SHARDS_JOB[@]}"
shards=$JOB
declare -A job_of=()
all=$shards
while read -r key parent name; do
    [[ $key ]] || continue
    ARGUMENTS=("${given[@]}" --stage "$key")
    # A parent that is done already has no job.
    submit ablation --job-name="$name" --dependency="afterok:$shards${job_of[$parent]:+:${job_of[$parent]}}" \
        "${TRAIN_JOB[@]}"
    job_of[$key]=$JOB
    all+=:$JOB
done <<<"$stages"
ARGUMENTS=("${given[@]}")
submit ablation --job-name=table --dependency="afterok:$all" "${EVALUATE_JOB[@]}"
[[ $DRY_RUN ]] || echo "shards $shards > stages ${all#*:} > table $JOB; slurm/status.sh $RUN shows where they stand"
