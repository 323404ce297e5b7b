#!/usr/bin/env bash
# Draws what `./kvasir bench pull --json FILE` measured: GB/s by chunk size, one line per side.
# Usage: docs/results/plot.sh FILE.json [FILE.svg]     Needs jq and gnuplot (Debian: jq, gnuplot-nox).
set -euo pipefail
json=${1:?give the JSON file of a bench pull}
svg=${2:-${json%.json}.svg}
data=$(mktemp)
trap 'rm -f "$data"' EXIT

# Blocks of "size value", one per side, the node first; two blank lines end a block (gnuplot's index).
jq -r '
  def line: "\(.mib) \(.value)";
  [.results[] | . + {mib: (.sizeBytes / 1048576)}] as $rows
  | ([$rows[] | select(.reference) | {side: .name, mib, value}]
     + [$rows[] | select(.reference) | {side: .reference, mib, value: .referenceValue}]
     + [$rows[] | select(.reference | not) | {side: .name, mib, value}])
  | unique_by([.side, .mib]) | group_by(.side)
  | sort_by(-(map(.value) | add))[]
  | "\"\(.[0].side)\"", (sort_by(.mib)[] | line), "", ""
' "$json" > "$data"

machine=$(jq -r '.machine | "\(.cpu), \(.cores) cores, loopback MTU \(.loopbackMtu // "as it is")"' "$json")
gnuplot <<PLOT
set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
set output "$svg"
set title "Chunks from one process into another ($machine)" noenhanced
set xlabel "MiB per chunk"
set ylabel "GB/s"
set logscale x 2
set logscale y
set grid
set key outside right noenhanced
stats "$data" using 1 nooutput
plot for [i=0:STATS_blocks-2] "$data" index i using 1:2 with linespoints linewidth 2 title columnheader(1)
PLOT
echo "$svg"
