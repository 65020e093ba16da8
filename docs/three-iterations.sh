#!/usr/bin/env bash
# From a bad profile to the target in three changes of the scene alone (success criterion SC-009).
#
# Usage: docs/three-iterations.sh [path to mynah]     default: the release build, which is made if need be
# Ends with 0 when the first profile misses the limits of `voice_assistant` and the last one holds them.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mynah=${1:-}
if [[ -z $mynah ]]; then
    cargo build --release --quiet
    mynah=target/release/mynah
fi
sessions=${SESSIONS:-50}

# What somebody might have copied from a telephone system: wait for the end of speech before anything starts, be slow
# to believe in silence, and collect three sentences before synthesis.
bad=(--set gate.speculate=false --set gate.release_threshold=0.5
    --set tts.buffering.min_batch_size=3 --set tts.buffering.max_wait_ms=200)

look() {
    local title=$1
    shift
    printf '\n%s\n' "$title"
    local code=0
    "$mynah" simulate voice_assistant --sessions "$sessions" "$@" >"$report" || code=$?
    grep -E "speech end to response p99|premature ratio|verdict|first sound after|silence seen" "$report" | cat
    return $code
}
report=$(mktemp)
trap 'rm -f "$report"' EXIT

if look "0. as found" "${bad[@]}"; then
    echo "the bad profile holds the limits: there is nothing to show"
    exit 1
fi
# "silence seen to processing" says that work begins 110 ms after the silence was seen: nothing is speculated.
look "1. gate.speculate=true: work begins while the gate still decides" "${bad[@]}" --set gate.speculate=true || true
# "waiting for the service" says that the synthesis queue holds a first sentence back for company.
look "2. tts.buffering.min_batch_size=1: a lone sentence does not wait" \
    "${bad[@]}" --set gate.speculate=true --set tts.buffering.min_batch_size=1 || true
# What is left is the detector's tail: it believes in silence late.
look "3. gate.release_threshold=0.85: silence is seen earlier" \
    "${bad[@]}" --set gate.speculate=true --set tts.buffering.min_batch_size=1 --set gate.release_threshold=0.85
