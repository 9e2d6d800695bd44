#!/usr/bin/env bash
# All that a GPU has to show, in one go on a machine that may be lent for minutes. Without a GPU every part runs on the
# CPU at a tiny size, so that nothing here grows stale.
#
#   benchmarks/gpu.sh [--dry-run] [--tiny] [--out DIR] [--python PROGRAM] [PART ...]
#
# A part that has written DIR/PART.json is not run again; `stages` goes on where it stopped. Without PARTs, all of them in
# order. DIR/PERFORMANCE.md gets a line a part, with the name of the device. Nothing is fetched from a network: the
# Python given must have torch and this package's requirements, and YOLO_WEIGHTS may name weights of Ultralytics.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

PARTS=(device tests speed choices evaluation detector stages)
out=runs/gpu python=.venv/bin/python dry=0 tiny=0 chosen=()
while (($#)); do
    case $1 in
        --dry-run) dry=1 ;;
        --tiny) tiny=1 ;;
        --out) out=${2:?--out needs a folder} && shift ;;
        --python) python=${2:?--python needs a program} && shift ;;
        -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" && exit 0 ;;
        *)
            [[ " ${PARTS[*]} " == *" $1 "* ]] || { echo "there is no part '$1'; allowed: ${PARTS[*]}" >&2 && exit 2; }
            chosen+=("$1")
            ;;
    esac
    shift
done
((${#chosen[@]})) || chosen=("${PARTS[@]}")

about() { # minutes on one GPU; what the part does; what it needs
    case $1 in
        device) echo "0.2|what is here: GPUs, driver, torch, cores, memory|torch" ;;
        tests) echo "4|the same batch on CPU and GPU; kill and restart, ranks and ZeRO to the bit; nothing left on the device|pytest" ;;
        speed) echo "3|bf16 + compile + channels last against fp32 eager at three widths: samples/s, MFU, waiting, micro-batch|a C++ compiler, Triton" ;;
        choices) echo "1|what might pay: a fused optimizer, CUDA graphs, JPEG decoded on the device|torchvision for the last" ;;
        evaluation) echo "2|a whole run from video to report: seconds of training and of evaluation|" ;;
        detector) echo "1|frames/s of a network of Ultralytics in a whole job|YOLO_WEIGHTS" ;;
        stages) echo "8|the generated data set at its full budget, as many stages as fit; states stay|" ;;
    esac
}

if ((dry)); then
    printf '%-11s %7s  %-100s %s\n' part minutes what needs
    for part in "${chosen[@]}"; do
        IFS='|' read -r minutes what needs <<<"$(about "$part")"
        [[ -f $out/$part.json ]] && what="done: $out/$part.json"
        printf '%-11s %7s  %-100s %s\n' "$part" "$minutes" "$what" "${needs:--}"
    done
    exit 0
fi

command -v "$python" >/dev/null || { echo "no Python at $python; name one by --python" >&2 && exit 2; }
mkdir -p "$out" && out=$(cd "$out" && pwd)
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} OMP_WAIT_POLICY=passive
gpus=$("$python" -c "import torch; print(torch.cuda.device_count())") || { echo "torch does not load" >&2 && exit 2; }
((gpus)) || tiny=1
((tiny)) && echo "every part at a tiny size (GPUs found: $gpus)"
small=(--data.plaza.train_videos 4 --data.plaza.test_videos 3 --data.plaza.virtual_videos 4 --data.plaza.frames 60
    --data.train_stride 4 --data.test_stride 6 --data.virtual_stride 4 --data.virtual_size 48 --stream.streams 8
    --model.width 4 --model.embedding 8 --stage.steps 4 --stage.global_batch 8 --stage.validate_every 0 --score.batch 16
    --score.calibration 32)
fast=(--train.precision auto --train.tracker none)
((tiny)) && fast+=(--train.compile false)

device() {
    "$python" - <<'P'
import json, os, torch
gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
found = {"torch": torch.__version__, "cuda": torch.version.cuda, "cores": len(os.sched_getaffinity(0))}
print(json.dumps({**found, "gpus": [{"name": gpu.name, "gb": round(gpu.total_memory / 1e9, 1)} for gpu in gpus]}))
P
}
tests() {
    local chosen=(tests/training/test_device.py tests/training/test_kill_matrix.py)
    ((gpus)) && export DIST_VAD_TESTS_ON=gpu && chosen+=(tests/training/test_zero.py tests/training/test_ranks.py)
    "$python" -m pytest -q -n 0 -k "not every_moment" "${chosen[@]}" >&2 && echo '{"passed": true}'
}
speed() {
    local widths=(32 64 128) steps=200
    ((tiny)) && widths=(4) steps=5
    local lines=() width line
    for width in "${widths[@]}"; do
        line=$("$python" benchmarks/trainer.py --device --width "$width" --steps "$steps" | tail -n 1) || return 1
        lines+=("\"width_$width\": $line")
    done
    (IFS=, && echo "{${lines[*]}}")
}
choices() {
    local size=()
    ((tiny)) && size=(--steps 2 --width 4 --batch 2)
    "$python" benchmarks/gpu_choices.py "${size[@]}" | tail -n 1
}
evaluation() {
    local size=() began
    ((tiny)) && size=("${small[@]}")
    began=$SECONDS
    "$python" launch/progressive.py --run "$out/run" --shards "$out/shards" "${fast[@]}" "${size[@]}" >&2 || return 1
    local trained=$((SECONDS - began))
    began=$SECONDS
    "$python" launch/evaluate.py --run "$out/run" --shards "$out/shards" "${fast[@]}" "${size[@]}" >&2 || return 1
    echo "{\"train_seconds\": $trained, \"evaluate_seconds\": $((SECONDS - began))}"
}
detector() {
    [[ -n ${YOLO_WEIGHTS:-} ]] || { echo '{"skipped": "YOLO_WEIGHTS names no weights"}' && return; }
    "$python" benchmarks/producer.py --yolo "$YOLO_WEIGHTS" | tail -n 1
}
stages() { # asked to save and end after its minutes; the next call goes on at that step
    local size=() code=0
    ((tiny)) && size=("${small[@]}")
    timeout --signal=USR1 --kill-after=120 480 "$python" launch/progressive.py --run "$out/stages" \
        --shards "$out/shards" "${fast[@]}" "${size[@]}" >&2 || code=$?
    ((code == 0 || code == 124 || code == 75)) || return 1
    echo "{\"finished\": $([[ $code == 0 ]] && echo true || echo false), \"states\": $(find "$out/stages/states" -name state.json | wc -l)}"
}

failed=()
for part in "${chosen[@]}"; do
    [[ -f $out/$part.json ]] && echo "$part: done before" && continue
    echo "$part: $(about "$part" | cut -d'|' -f2)"
    began=$SECONDS
    if found=$("$part" 2>"$out/$part.log") && [[ -n $found ]]; then
        echo "$found" | tee "$out/$part.partial"
        [[ $found == *'"finished": false'* ]] || mv "$out/$part.partial" "$out/$part.json"
        echo "- $("$python" -c "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU')"), $part, $((SECONDS - began)) s: \`$found\`" >>"$out/PERFORMANCE.md"
    else
        failed+=("$part") && echo "$part failed: see $out/$part.log" >&2
    fi
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}; the same command runs them again" >&2 && exit 1; }
