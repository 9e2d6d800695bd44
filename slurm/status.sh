#!/usr/bin/env bash
# Where a run stands: stage, step, loss, requeues, time left, its jobs, and what is kept.
#
#   slurm/status.sh RUN
# shellcheck source=slurm/common.sh
source "$(dirname "$0")/common.sh" || exit 2

[[ ${1:-} && $1 != -* ]] || print_help
exec "$PYTHON" slurm/progress.py status "$1"
