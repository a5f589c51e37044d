#!/usr/bin/env bash
# Installs what some tests talk to. Safe to run again: what is there already costs nothing.
#   bash tests/peers.sh .venv/bin deploy/locks
set -uo pipefail
bin=${1:?the folder of the interpreter that environments are made with}
locks=${2:?the folder of the locks}
peers=.peers

# Programs only: a function of this script is no program, though `command -v` takes it for one.
have() { type -P "$1" >/dev/null; }

# Runs a command without its chatter; its output is shown only if it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" = 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

chromium_is_here() {
  have chromium || have chromium-browser || have google-chrome || have google-chrome-stable ||
    [ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] ||
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

get_chromium() {
  if chromium_is_here; then
    echo "Chromium is here"
    return 0
  fi
  if ! have apt-get; then
    echo "install Chromium or Google Chrome (macOS: brew install --cask chromium), then run this again" >&2
    return 1
  fi
  local as_root=""
  if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
    $as_root true || { echo "Chromium is a Debian package: run 'make peers' as root" >&2; return 1; }
  fi
  echo "installing Chromium"
  quietly $as_root apt-get update -qq &&
    quietly $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends chromium || return 1
  chromium_is_here || { echo "Chromium was installed but is not found" >&2; return 1; }
}

synapse_is_here() {
  cmp -s "$locks/synapse.txt" "$peers/synapse/installed.txt" &&
    "$peers/synapse/bin/python" -c "" >/dev/null 2>&1
}

synapse_with_uv() {
  [ -x "$bin/uv" ] && "$bin/uv" venv -q --clear --python "$bin/python" "$peers/synapse" &&
    "$bin/uv" pip install -q --python "$peers/synapse/bin/python" --require-hashes --no-build -r "$locks/synapse.txt"
}

synapse_with_pip() {
  "$bin/python" -m venv --clear "$peers/synapse" &&
    "$peers/synapse/bin/python" -m pip install -q --require-hashes --only-binary :all: -r "$locks/synapse.txt"
}

# The file installed.txt is written last, so an installation that was broken off is made again.
get_synapse() {
  if synapse_is_here; then
    echo "Synapse is here"
    return 0
  fi
  if [ "$(uname -s)" != Linux ]; then
    echo "Synapse has wheels for Linux only: the tests against a real Matrix server are skipped here"
    return 0
  fi
  echo "installing Synapse into $peers/synapse"
  mkdir -p "$peers"
  quietly synapse_with_uv || { echo "uv did not succeed; trying pip"; quietly synapse_with_pip; } || return 1
  "$peers/synapse/bin/python" -c "import synapse.app.homeserver" || return 1
  cp "$locks/synapse.txt" "$peers/synapse/installed.txt"
}

aimock_is_here() {
  cmp -s "$locks/aimock/package-lock.json" "$peers/aimock/installed.json" && have node
}

# Its lock is made by `npm install --package-lock-only` beside package.json, the lines "resolved" taken out.
# Nothing of the package runs while it is installed; npm compares it with the hash of the lock.
get_aimock() {
  if aimock_is_here; then
    echo "aimock is here"
    return 0
  fi
  if ! have npm || ! have node; then
    echo "install Node.js 20.15 or newer with npm (https://nodejs.org), then run this again" >&2
    return 1
  fi
  echo "installing aimock into $peers/aimock"
  rm -rf "$peers/aimock"
  mkdir -p "$peers/aimock"
  cp "$locks/aimock/package.json" "$locks/aimock/package-lock.json" "$peers/aimock/"
  quietly npm ci --prefix "$peers/aimock" --ignore-scripts --no-audit --no-fund --no-update-notifier || return 1
  node "$peers/aimock/node_modules/@copilotkit/aimock/dist/cli.js" --help >/dev/null || return 1
  cp "$locks/aimock/package-lock.json" "$peers/aimock/installed.json"
}

mlx_is_here() {
  cmp -s "$locks/all.txt" "$peers/mlx/installed.txt" &&
    "$bin/python" -c "import importlib.util as found; exit(not (found.find_spec('mlx') and found.find_spec('mlx_lm')))"
}

mlx_with_uv() {
  [ -x "$bin/uv" ] &&
    "$bin/uv" pip install -q --python "$bin/python" --require-hashes --no-build -r "$locks/all.txt"
}

mlx_with_pip() {
  "$bin/python" -m pip install -q --require-hashes --only-binary :all: -r "$locks/all.txt"
}

# An extra, not a program: it goes beside what the tests themselves run with, out of the same lock.
get_mlx() {
  if mlx_is_here; then
    echo "mlx is here"
    return 0
  fi
  echo "installing the extra mlx"
  mkdir -p "$peers/mlx"
  quietly mlx_with_uv || { echo "uv did not succeed; trying pip"; quietly mlx_with_pip; } || return 1
  cp "$locks/all.txt" "$peers/mlx/installed.txt"
}

preloads_are_here() {
  compgen -G "/usr/lib/*/faketime/libfaketime.so.1" >/dev/null &&
    { compgen -G "/usr/lib/fiu/fiu_run_preload.so" || compgen -G "/usr/lib/*/fiu/fiu_run_preload.so"; } >/dev/null
}

# A clock that leaps and a disk that fails, for the tests of faults. Not every machine can have them: then it is said,
# and their tests are skipped.
get_preloads() {
  if preloads_are_here; then
    echo "libfaketime and libfiu are here"
    return 0
  fi
  if [ "$(uname -s)" != Linux ] || ! have apt-get; then
    echo "install libfaketime and fiu-utils: the tests of leaping clocks and failing disks are skipped without them"
    return 0
  fi
  local as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  echo "installing libfaketime and libfiu"
  quietly $as_root apt-get update -qq
  quietly $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends libfaketime fiu-utils || true
  preloads_are_here || echo "libfaketime and libfiu cannot be installed here: their tests are skipped"
}

missing=0
get_mlx || missing=1
get_synapse || missing=1
get_aimock || missing=1
get_chromium || missing=1
get_preloads
exit "$missing"
