#!/usr/bin/env bash
# Where does the test back end come from? Builds llama-server from source and writes the model it
# serves, both into the cache folder (REPOCTX_BACKEND_CACHE, default ~/.cache/repoctx-backend).
# What is there and was made by this same recipe is kept; an interrupted build goes on where it was.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${REPOCTX_BACKEND_CACHE:-$HOME/.cache/repoctx-backend}
jobs=${REPOCTX_BACKEND_JOBS:-$(getconf _NPROCESSORS_ONLN)}
python=${PYTHON:-python3}
native_window=16384 # tokens; serve.sh has the same number

server=$cache/llama-server
model=$cache/tiny.gguf
venv=$cache/venv
source=$cache/source
llama=$source/vendor/llama.cpp

options=(
  -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF
  -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
  -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_APP=OFF
)
if [[ $(uname -m) == x86_64 ]]; then # what every such machine since 2013 has: a cached binary may travel
  options+=(-DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON)
fi

# A product is kept while the recipe written beside it is the present one.
sources=$(cksum <"$here/llama_cpp.txt")
server_recipe="$(uname -sm) $sources ${options[*]}"
model_recipe="$sources $(cat "$here/requirements.txt" "$here/tiny_moe.py" | cksum) $native_window"

say() { printf 'backend: %s\n' "$*"; }
fail() { printf 'backend: %s\n' "$*" >&2 && exit 1; }
made_by() { [[ -s $1 && -e $1.recipe && $(<"$1.recipe") == "$2" ]]; }

if made_by "$server" "$server_recipe" && made_by "$model" "$model_recipe"; then
  say "up to date: $server and $model"
  exit 0
fi
command -v c++ >/dev/null || fail "no C++ compiler (c++) found: install g++ or clang, then run this again"
mkdir -p "$cache"
if command -v flock >/dev/null; then # a second run waits for the first, then finds its products
  exec 9>"$cache/lock"
  flock 9
fi

if ! made_by "$venv/bin/ninja" "$(<"$here/requirements.txt")"; then
  say "installing the build tools into $venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/bin/ninja.recipe"
fi

if ! made_by "$llama/CMakeLists.txt" "$sources"; then
  say "downloading the sources (77 MB, about a minute)"
  rm -rf "$cache/download" "$source"
  mkdir -p "$cache/download" "$source"
  # pip reads the package's metadata too, which compiles nothing.
  "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
    --dest "$cache/download" -r "$here/llama_cpp.txt"
  tar -xzf "$cache"/download/*.tar.gz -C "$source" --strip-components=1
  rm -r "$cache/download"
  printf '%s\n' "$sources" >"$llama/CMakeLists.txt.recipe"
fi

if ! made_by "$model" "$model_recipe"; then
  say "writing the model (about 15 seconds)"
  "$venv/bin/python" "$here/tiny_moe.py" "$model" --window "$native_window" \
    --vocabulary "$llama/models/ggml-vocab-qwen2.gguf" --template "$llama/models/templates/Qwen3-Coder.jinja"
  printf '%s\n' "$model_recipe" >"$model.recipe"
fi

if ! made_by "$server" "$server_recipe"; then
  say "compiling llama-server with $jobs jobs (about 17 CPU minutes); log: $cache/build.log"
  export PATH="$venv/bin:$PATH"
  {
    cmake -S "$llama" -B "$cache/build" -G Ninja "${options[@]}" &&
      nice -n 19 ninja -C "$cache/build" -j "$jobs" llama-server
  } >"$cache/build.log" 2>&1 || fail "the build failed: see the end of $cache/build.log"
  cp "$cache/build/bin/llama-server" "$server.partial"
  mv "$server.partial" "$server"
  printf '%s\n' "$server_recipe" >"$server.recipe"
  rm -r "$cache/build"
fi
say "ready: $server and $model"
