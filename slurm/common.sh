# shellcheck shell=bash
# What the batch scripts share: how they are called, where a job stands, how its ranks are started, when it is requeued.
#
# A job is started again, by itself or by Slurm, until its work is done. All that a start needs, the last one left on
# the shared disk: shards, checkpoints, states, scores. So a start that ends early is no failure, unless the settings
# are at fault, or two starts in a row led nowhere.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPT=$(readlink -f "$0")
cd "$ROOT"
# slurm/site.example.sh explains what a site sets: options for sbatch by kind of job, and whatever its nodes need.
# shellcheck disable=SC2034  # the scripts that source this file use them
SHARDS_JOB=() TRAIN_JOB=() EVALUATE_JOB=() PRODUCER=()
SITE=${SITE:-slurm/site.sh}
# shellcheck source=slurm/site.example.sh
if [[ -f $SITE ]]; then source "$SITE"; fi
PYTHON=${PYTHON:-$ROOT/.venv/bin/python}
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}

# ---- how a script is called -------------------------------------------------------------------------------------

DRY_RUN='' ARGUMENTS=()

# read_arguments "$@": sorts out --help and --dry-run; ARGUMENTS is what is left for the Python program. Settings that
# are wrong are refused here, before anything waits in a queue. RUN is the run's folder, SHARDS where its shard sets
# lie, LOG the folder of what these scripts write.
read_arguments() {
    local word found
    for word in "$@"; do
        case $word in
            -h | --help) print_help ;;
            --dry-run) DRY_RUN=yes ;;
            *) ARGUMENTS+=("$word") ;;
        esac
    done
    found=$("$PYTHON" slurm/settings.py place "${ARGUMENTS[@]}")
    eval "$found"
    LOG=$RUN/slurm
}

# print_help: the comment at the head of the script, and the end.
print_help() {
    sed -n '2,/^[^#]/{/^#SBATCH/d;/^# A job runs a copy/d;s/^# \{0,1\}//p}' "$SCRIPT"
    exit 0
}

in_job() { [[ -n ${SLURM_JOB_ID:-} ]]; }

# submit NAME [sbatch options]: send slurm/NAME.sh to the queue with our arguments; JOB is its number then.
# Where a dependency fails, the job is cancelled: left to itself, Slurm lets it wait for ever.
submit() {
    local command=(sbatch --parsable --kill-on-invalid-dep=yes --output="$LOG/%x-%j.log" "${@:2}"
        "slurm/$1.sh" "${ARGUMENTS[@]}")
    JOB=NUMBER_OF_$1
    if [[ $DRY_RUN ]]; then
        show "${command[@]}"
    else
        mkdir -p "$LOG"
        JOB=$("${command[@]}")
        JOB=${JOB%%;*}  # a federation adds the name of the cluster
    fi
}

# submit_itself NAME [sbatch options]: what a script does outside a job. A dry run goes on, and shows the job as well.
submit_itself() {
    submit "$@"
    [[ $DRY_RUN ]] || echo "job $JOB, log $LOG/$1-$JOB.log; slurm/status.sh $RUN shows where it stands"
    [[ $DRY_RUN ]] || exit 0
}

show() {
    printf '%q ' "$@"
    echo
}

# ---- where a job stands, and its ranks --------------------------------------------------------------------------

# find_place: sets NODES, RANKS_PER_NODE, MASTER_ADDR and MASTER_PORT. The node's number, slurm/node.py asks srun for.
find_place() {
    NODES=${SLURM_JOB_NUM_NODES:-1}
    # One rank for each GPU of a node; without any, what the site says, or one.
    RANKS_PER_NODE=${RANKS_PER_NODE:-${SLURM_GPUS_ON_NODE:-1}}
    # Two jobs that share a node must not meet at one port.
    MASTER_PORT=${MASTER_PORT:-$((20000 + ${SLURM_JOB_ID:-0} % 10000))}
    if [[ -z ${MASTER_ADDR:-} ]] && in_job; then
        local first
        first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
        # The address at which Slurm itself reaches the node: its name need not resolve.
        MASTER_ADDR=$(scontrol show node "$first" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
    fi
    MASTER_ADDR=${MASTER_ADDR:-127.0.0.1}
}

# prepare_launch SCRIPT: STEP becomes one launcher on each node, which starts the ranks of that node.
prepare_launch() {
    find_place
    local ranks=$((NODES * RANKS_PER_NODE))
    local how=(--mixed_precision no --dynamo_backend no)
    # The flag is about more than one process, on GPUs or not; without it there would be one, without a word.
    if ((ranks > 1)); then how+=(--multi_gpu); fi
    if [[ ${ACCELERATE_CONFIG:-} ]]; then how=(--config_file "$ACCELERATE_CONFIG"); fi
    # Slurm starts DeepSpeed on each node too; by default it would do so itself, over ssh.
    how+=(--deepspeed_multinode_launcher standard)
    # A task gets one core unless it asks for more, and all ranks of the node would share it. The first node that
    # fails ends the others: they would wait for it.
    STEP=(srun --nodes="$NODES" --ntasks="$NODES" --ntasks-per-node=1 --kill-on-bad-exit=1
        --cpus-per-task="${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}"
        "$PYTHON" slurm/node.py "${how[@]}" --num_machines "$NODES" --num_processes "$ranks"
        --main_process_ip "$MASTER_ADDR" --main_process_port "$MASTER_PORT" "$1" "${ARGUMENTS[@]}")
}

# ---- until it is done -------------------------------------------------------------------------------------------

# run_until_done: run STEP, pass signals on to it, and decide what its end means.
#   0     done.
#   2     the settings or the data are at fault, and would be next time. The job fails, and with it all that waits for it.
#   69    something outside of the run is down or full, a bucket or a disk: requeue, for as long as PATIENCE says.
#   else  pre-empted (75: a checkpoint was made), killed, or a peer was lost: requeue, unless two starts led nowhere.
run_until_done() {
    if [[ $DRY_RUN ]]; then
        show "${STEP[@]}"
        return
    fi
    local start=${SLURM_RESTART_COUNT:-0} status
    local folder=$LOG/job-$SLURM_JOB_ID
    export DIST_VAD_ENDINGS=$folder/start-$start  # for slurm/node.py
    mkdir -p "$DIST_VAD_ENDINGS" || true  # the disk may be the one that is full
    stop_without_progress "$folder" "$start"

    run_step
    if ((status == 0)); then exit 0; fi
    if grep -qsx 'exit code 69' "$DIST_VAD_ENDINGS"/*; then status=69; fi
    if grep -qsx 'exit code 2' "$DIST_VAD_ENDINGS"/*; then status=2; fi
    echo "start $start ended with ${status}${asked:+, after $asked}" | tee "$DIST_VAD_ENDINGS/ended" || true
    if ((status == 2)); then
        echo "error: settings or data are at fault, see above; not requeued" >&2
        exit 2
    fi
    # Cancelled, or requeued by someone else: then the job is no longer running, and that is not ours to change.
    local state
    state=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)
    if [[ $state != RUNNING ]]; then
        echo "the job is $state by someone else's hand; not requeued"
        exit "$status"
    fi
    if ((status != 69)); then stop_without_progress "$folder" "$((start + 1))"; fi
    echo "requeued; the next start goes on from here"
    scontrol requeue "$SLURM_JOB_ID"
    exit 75
}

# run_step: run STEP to its end; `status` becomes its exit code, `asked` the signal that came before the end.
run_step() {
    local step='' again=yes
    asked=''
    # Slurm sends USR1 to this script alone, a while before the time limit. Why it goes on as USR2, slurm/node.py says.
    trap 'asked=USR1 again=yes; if [[ $step ]]; then kill -USR2 "$step" || true; fi' USR1
    # TERM goes to the tasks too.
    trap 'asked=TERM again=yes' TERM
    # In the background, since bash handles a signal only once the command in the foreground has ended.
    "${STEP[@]}" &
    step=$!
    # `wait` ends early at a signal; the next one tells how the step ended.
    while [[ $again ]]; do
        again=''
        wait "$step" && status=0 || status=$?
    done
}

# Starts in a row that may find something down; Slurm waits two minutes before each.
PATIENCE=${PATIENCE:-30}

# was_down FOLDER N: whether start N ended because something outside of the run was down or full.
was_down() { grep -qs 'ended with 69' "$1/start-$2/ended"; }

# stop_without_progress FOLDER N: note what is there before start N; end the job where the two starts before it
# added nothing. While something is down that is no wonder: then the job has more patience.
stop_without_progress() {
    local now=$1/position-$2 before=$1/position-$(($2 - 1)) earlier=$1/position-$(($2 - 2)) one=$(($2 - 1))
    # What is down may be where the checkpoints lie: then nothing is noted.
    "$PYTHON" slurm/progress.py position "$RUN" "${POSITION[@]}" >"$now" || rm -f "$now"
    while was_down "$1" "$one"; do one=$((one - 1)); done
    if (($2 - 1 - one >= PATIENCE)); then
        echo "error: the last $PATIENCE starts found something down or full, see above; not requeued" >&2
        exit 69
    fi
    if ((one < $2 - 1)) || was_down "$1" "$(($2 - 2))"; then return; fi
    if [[ -f $earlier ]] && cmp -s "$earlier" "$before" && cmp -s "$before" "$now"; then
        {
            echo "error: the last two starts led nowhere; not requeued. Before and after them there was:"
            sed 's/^/    /' "$now"
            for one in $(($2 - 2)) $(($2 - 1)); do
                sed 's/^/    /' "$1/start-$one/ended"
            done
            echo "Mend the cause, see above, and submit the same again: what is there is kept."
        } >&2
        exit 1
    fi
}
POSITION=()  # options of slurm/progress.py: what counts as progress of this job
