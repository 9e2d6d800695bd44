#!/usr/bin/env bash
# From video to report: shards, training and evaluation as three jobs, each after the one before it has ended well.
#
#   slurm/pipeline.sh [--config FILE] [--dotted.overrides ...]
#   slurm/pipeline.sh --dry-run ...                                  show what would be submitted
#
# Where a job fails, those after it are cancelled. Called again, it goes on with what is there.
# shellcheck source=slurm/common.sh
source "$(dirname "$0")/common.sh" || exit 2

read_arguments "$@"
submit shards "${SHARDS_JOB[@]}"
chain="shards $JOB"
submit progressive --dependency="afterok:$JOB" "${TRAIN_JOB[@]}"
chain+=" > progressive $JOB"
submit evaluate --dependency="afterok:$JOB" "${EVALUATE_JOB[@]}"
chain+=" > evaluate $JOB"
[[ $DRY_RUN ]] || echo "$chain; slurm/status.sh $RUN shows where they stand"
