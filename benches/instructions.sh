#!/usr/bin/env bash
# The gate against regressions: instructions of short workloads, which repeat exactly, against those of a baseline.
#
#   benches/instructions.sh            compares; ends with 1 if a workload takes over 2 % more than the baseline, or a call
#                                      of an audio callback more than it may
#   benches/instructions.sh --update   makes what is counted now the baseline
#
# Counted by valgrind, in the ticks alone (the workloads' simulated callers are made outside of them), one thread, virtual
# time. A baseline holds for one rustc and the CPU features that valgrind shows the program: it knows AVX2 and FMA but no
# AVX-512, so what is counted is the path of AVX2, on a machine with more, too. Without valgrind, or without a baseline for
# this key, nothing is compared and the script says so.
set -u
cd "${BASH_SOURCE[0]%/*}/.." || exit 2

MORE_PERCENT_MAX=2
baseline=benches/instructions.txt
target=${CARGO_TARGET_DIR:-target}
program=$target/release/mynah
callback=$target/release/examples/audio_calls
library=$target/release/libmynah.so
kept=$target/instructions

# Name, what is counted (a function and all below it, or everything), command.
workloads=(
    "passthrough_8 *course::tick simulate passthrough --sessions 8 --duration 2s"
    "resample_8 *course::tick simulate streaming_resample --sessions 8 --duration 2s"
    "gate_1 *course::tick simulate gate_only --sessions 1 --duration 4s"
    "gate_16 *course::tick simulate gate_only --sessions 16 --duration 2s"
    "voice_4 *course::tick simulate voice_assistant --sessions 4 --duration 5s"
    "check_3 everything check passthrough gate_only voice_assistant"
)
# What audio callbacks call, 11,000 times with 128 sample frames: name, what is counted, samples. It is an example:
# cargo build --release -p mynah --example audio_calls
callbacks=(
    "push_f32 *audio_calls::push_f32 f32"
    "push_i16 *audio_calls::push_i16 i16"
    "read_f32 *audio_calls::read_f32 f32"
)
# The same through the C interface: cargo build --release -p libmynah
through_c=(
    "push_c mynah_push scenes/passthrough.ron 128"
    "pull_c mynah_pull scenes/passthrough.ron 128"
)
# A hundred characters in Bevy, 120 frames: cargo build --release --manifest-path tools/bevy_mynah/Cargo.toml --example frames
characters=$target/release/examples/frames
in_bevy=("bevy_100 *frames::frame -")
FRAMES=120
CALLS=11000
CALL_MAX=400

update=false
case "${1:-}" in
"") ;;
--update) update=true ;;
*)
    echo "usage: benches/instructions.sh [--update]" >&2
    exit 2
    ;;
esac
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed, so no instructions are counted"
    exit 0
fi
if [[ ! -x $program ]]; then
    echo "error: $program is not there; build it first: cargo build --release" >&2
    exit 2
fi
mkdir -p "$kept" || exit 2
if [[ -x $callback ]]; then
    workloads+=("${callbacks[@]}")
else
    echo "not built, so not counted: cargo build --release -p mynah --example audio_calls"
fi

if [[ -f $library ]] && cc -O2 -o "$kept/callback" tools/capi/lib/tests/c/callback.c -Itools/capi -L"$target/release" -lmynah; then
    workloads+=("${through_c[@]}")
else
    echo "not built, so not counted through C: cargo build --release -p libmynah, and a C compiler"
fi

if [[ -x $characters ]]; then
    workloads+=("${in_bevy[@]}")
else
    echo "not built, so not counted in Bevy: cargo build --release --manifest-path tools/bevy_mynah/Cargo.toml --example frames"
fi

is_call() {
    [[ $1 == push_* || $1 == read_* || $1 == pull_* ]]
}

# Counts one workload, into files by its name.
run() {
    local name=$1 counted=$2 status=0 program=$program
    shift 2
    if [[ $name == *_c ]]; then program=$kept/callback; elif is_call "$name"; then program=$callback; fi
    if [[ $name == bevy_* ]]; then
        program=$characters
        set --
    fi
    local flags=(--tool=callgrind "--callgrind-out-file=$kept/$name.out")
    [[ $counted == everything ]] || flags+=("--toggle-collect=$counted")
    [[ ${1-} == simulate ]] && set -- "$@" --threads 1 --json
    LD_LIBRARY_PATH=$target/release valgrind "${flags[@]}" "$program" "$@" >"$kept/$name.stdout" 2>"$kept/$name.stderr" || status=$?
    # A short run misses a limit (1), or has nothing to measure for one (2); what could not run says nothing on stdout.
    if [[ ! -s $kept/$name.stdout ]]; then
        echo "mynah $* ended with $status" >>"$kept/$name.stderr"
        return
    fi
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$kept/$name.stderr" >"$kept/$name.count"
}

# As many at once as there are cores: counts do not mind.
running=0
for workload in "${workloads[@]}"; do
    rm -f "$kept/${workload%% *}.count"
    ((running < $(nproc))) || wait -n
    # Split on blanks; the patterns are not file names.
    set -f
    # shellcheck disable=SC2086
    run $workload &
    set +f
    running=$((running + 1))
done
wait

names=() counts=()
for workload in "${workloads[@]}"; do
    name=${workload%% *} count=
    [[ -f $kept/$name.count ]] && count=$(<"$kept/$name.count")
    if [[ -z $count || $count == 0 ]]; then
        echo "error: $name could not be counted:" >&2
        tail -5 "$kept/$name.stderr" >&2
        exit 2
    fi
    names+=("$name") counts+=("$count")
done
features=$(sed -n 's/.*"cpu_features":\[\([^]]*\)\].*/\1/p' "$kept/passthrough_8.stdout" | tr -d '"' | tr ',' '+')
key=$(rustc --version | sed 's/^rustc \([^ ]*\) (\([^ ]*\).*/rustc-\1-\2/')+${features:-none}

lines() {
    local at
    for at in "${!names[@]}"; do printf '%s %s %s\n' "$key" "${names[at]}" "${counts[at]}"; done
}

if $update; then
    # Baselines of other keys stay.
    others=$(grep -v "^#" "$baseline" 2>/dev/null | grep -vF "$key " || true)
    {
        echo "# Instructions: key (rustc, CPU features under valgrind), workload, count. Written by benches/instructions.sh --update."
        { [[ -z $others ]] || echo "$others"; lines; } | sort
    } >"$kept/new" && mv "$kept/new" "$baseline" || exit 2
    echo "$baseline has the counts of $key"
fi

over=0 known=0
for at in "${!names[@]}"; do
    [[ ${names[at]} != bevy_* ]] || echo "${names[at]}: $((counts[at] / FRAMES)) instructions a frame"
done
for at in "${!names[@]}"; do
    name=${names[at]} call=$((counts[at] / CALLS))
    is_call "$name" || continue
    # The conversion of 16-bit samples is not in the bound.
    if ((call > CALL_MAX)) && [[ $name != *_i16 ]]; then
        echo "$name: $call instructions a call; at most $CALL_MAX"
        over=$((over + 1))
    else
        echo "$name: $call instructions a call"
    fi
done
printf '%-16s %14s %14s %9s\n' "$key" instructions baseline change
for at in "${!names[@]}"; do
    before=$(awk -v key="$key" -v name="${names[at]}" '$1 == key && $2 == name { print $3 }' "$baseline" 2>/dev/null)
    if [[ -z $before ]]; then
        printf '%-16s %14d %14s\n' "${names[at]}" "${counts[at]}" -
        continue
    fi
    known=$((known + 1))
    # In hundredths of a percent: shells have no fractions.
    change=$(((counts[at] - before) * 10000 / before))
    word=""
    if ((change > MORE_PERCENT_MAX * 100)); then
        word=OVER over=$((over + 1))
    elif ((change < -MORE_PERCENT_MAX * 100)); then
        word="fewer: --update keeps it so"
    fi
    printf '%-16s %14d %14d %+8.2f%% %s\n' "${names[at]}" "${counts[at]}" "$before" \
        "$(awk -v change="$change" 'BEGIN { print change / 100 }')" "$word"
done
if ((known == 0)); then
    echo "skipped: $baseline has no counts of $key; benches/instructions.sh --update writes them"
fi
if ((over)); then
    echo "$over over the baseline by more than $MORE_PERCENT_MAX %, or over what a call may take; where they are: callgrind_annotate $kept/NAME.out" >&2
    exit 1
fi
