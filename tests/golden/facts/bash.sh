#!/usr/bin/env bash
# Builds parcels.
set -euo pipefail

source "$(dirname "$0")/common.sh"
. ./colors.sh

LIMIT=100
export OUT_DIR=build
readonly VERSION="1.0"

# Says something.
# In colour.
say() {
  local message="$1" color
  printf '%s\n' "$message" "$OUT_DIR"
}

function build {
  local count=0
  for file in *.txt; do
    compile "$file" || return 1
  done
  say "built ${LIMIT} $(count_files "$OUT_DIR")"
}

trap say EXIT
build && deploy --version "$VERSION" | tee log
