#!/usr/bin/env bash
# All that is worth asking of a GPU, in a few minutes: bash bench/gpu/card.sh OUT [STEP…]
#
#   correct   the kernels' tests, in several processes              } these three
#   race      those that compare with float64, under racecheck      } at the same
#   memory    the same under memcheck                               } time
#   epochs    whole captured epochs, by kind of product and model
#   launches  one captured step's launches under ncu: their times, bytes, registers
#   torch     the training step beside torch's
#   kernels   every kernel beside what the GPU can do
#   paper     64,000 steps of the paper's recipe on the CIFAR-10 in the folder $CIFAR10
#
# Without a STEP: all but paper. What each says goes into OUT/STEP.txt, figures into OUT/STEP.json too. A step that fails
# leaves the others, and the exit code is then 1. It needs compute-sanitizer and ncu, and pytest-xdist, which pyproject.toml
# names.
set -uo pipefail
out=$(mkdir -p "${1:?a folder for what is found}" && cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
export PYTHONPATH=$PWD:$PWD/kernels PYTHONUNBUFFERED=1 CUPY_CACHE_DIR=${TMPDIR:-/tmp}/tinyres-cupy

# run STEP SECONDS COMMAND…
run() {
    local step=$1 limit=$2 begun=$SECONDS code
    shift 2
    timeout -k 5 "$limit" "$@" > "$out/$step.txt" 2>&1
    code=$?
    printf '=== %s: exit code %d, %d s\n%s\n' "$step" $code $((SECONDS - begun)) "$(tail -n 30 "$out/$step.txt")"
    [ $code = 0 ] || { touch "$out/failed"; return 1; }
}
# Not with pytest-xdist: it would first compile the kernels for the CPU, which takes a minute.
tests=(python3 -m pytest tests/kernels/test_on_a_gpu.py -m gpu -n 0 -q -p no:cacheprovider)
tests+=(-o faulthandler_timeout=100)  # tells where a test hangs
exact=("${tests[@]}" -k is_exact)
bench=(python3 -m bench gpu)
metrics=gpu__time_duration.sum,dram__bytes.sum,sm__inst_executed.sum,launch__grid_size,launch__block_size
metrics+=,launch__waves_per_multiprocessor,launch__registers_per_thread,launch__shared_mem_per_block_dynamic
metrics+=,sm__warps_active.avg.pct_of_peak_sustained_active

correct() {
    local groups=(
        "is_exact and not (tf32 or bf16)" "is_exact and (tf32 or bf16)" same_bits recorded_steps same_way
        "not (is_exact or same_bits or recorded_steps or same_way)"
    ) k
    for k in "${!groups[@]}"; do run "correct-$k" 200 "${tests[@]}" -k "${groups[k]}" & done
    wait
}
race() { run race 200 compute-sanitizer --error-exitcode 9 --tool racecheck "${exact[@]}"; }
memory() { run memory 200 compute-sanitizer --error-exitcode 9 "${exact[@]}"; }
epochs() {
    run epochs 180 "${bench[@]}" --sections epochs --model resnet20,resnet56 --minutes 1 --json "$out/epochs.json"
}
launches() {
    local kinds=(bf16 tf32 float32)
    run ncu 120 ncu --profile-from-start off --clock-control none --cache-control none --csv --page raw \
        --print-units base --metrics $metrics --log-file "$out/ncu.csv" python3 -m bench.gpu.one_step "${kinds[@]}" &&
        run launches 20 python3 -m bench.gpu.launches "$out/ncu.csv" "${kinds[@]}"
}
torch() {
    run torch 240 "${bench[@]}" --sections training,torch_steps --model resnet20 --minutes 3 --json "$out/torch.json"
}
kernels() {
    run kernels 180 "${bench[@]}" --sections correctness,roofs,kernels --model resnet20 --minutes 2 \
        --json "$out/kernels.json"
}
paper() {
    run paper 3600 python3 -m tinyres train --recipe paper --data cifar10 --data-dir "$CIFAR10" \
        --model resnet20 --device cuda --precision tf32 --out "$out/paper"
}

[ $# -gt 0 ] || set -- correct race memory epochs launches torch kernels
for step; do
    declare -F "$step" > /dev/null || { echo "card.sh: there is no step $step" >&2; exit 2; }
    [ "$step" != paper ] || : "${CIFAR10:?card.sh: paper needs the folder of CIFAR-10}"
done

rm -f "$out/failed"
{ nvidia-smi; python3 -m pip list; nvcc --version; } > "$out/machine.txt" 2>&1
for step; do
    case $step in
        correct | race | memory) $step & ;;
        *) wait; $step ;;  # what is timed has the GPU for itself
    esac
done
wait
echo "all of it: $SECONDS s"
[ ! -e "$out/failed" ]
