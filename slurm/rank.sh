#!/usr/bin/env bash
# One task of slurm/shards.sh: tells a program which of how many ranks it is, and becomes it.
#
#   srun slurm/rank.sh JOB JOBS PROGRAM [ARGUMENTS ...]
#
# Task p of P in job JOB (from 0) of an array of JOBS is rank JOB P + p of JOBS P.
set -euo pipefail
export RANK=$(($1 * SLURM_NTASKS + SLURM_PROCID)) WORLD_SIZE=$(($2 * SLURM_NTASKS))
exec "${@:3}"
