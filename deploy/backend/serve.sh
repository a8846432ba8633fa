#!/usr/bin/env bash
# Serves the tiny model on loopback: serve.sh native|yarn PORT
# native: its own window of 16,384 tokens. yarn: four times that, by static YaRN as in production.
set -euo pipefail

usage="usage: serve.sh native|yarn PORT"
profile=${1:?$usage} port=${2:?$usage}
cache=${REPOCTX_BACKEND_CACHE:-$HOME/.cache/repoctx-backend}
native_window=16384 # tokens; the model's, from build.sh

case $profile in
native) window=(-c "$native_window") ;;
yarn) window=(-c "$((native_window * 4))" --rope-scaling yarn --rope-scale 4 --yarn-orig-ctx "$native_window") ;;
*) printf '%s\n' "$usage" >&2 && exit 2 ;;
esac
[[ -x $cache/llama-server && -s $cache/tiny.gguf ]] || {
  printf 'backend: nothing is built in %s: run build.sh first\n' "$cache" >&2
  exit 1
}

# The bias lets a random model end its answer, here within 30 tokens; -n is the cap for requests
# without max_tokens. --slots and --metrics show what the server holds and has counted.
exec "$cache/llama-server" --model "$cache/tiny.gguf" --alias tiny-qwen3-moe --offline \
  --host 127.0.0.1 --port "$port" --parallel 1 --threads 2 --jinja --metrics --slots \
  -n 24 --logit-bias 151645+2 "${window[@]}"
