#!/usr/bin/env bash
# Installs what some tests talk to. Safe to run again: what is there already costs nothing.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

chromium_is_here() {
  have chromium || have chromium-browser || have google-chrome || have google-chrome-stable ||
    [ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] ||
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

if chromium_is_here; then
  echo "Chromium is here"
elif have apt-get; then
  as_root=""
  if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
    $as_root true || { echo "Chromium is a Debian package: run 'make peers' as root" >&2; exit 1; }
  fi
  echo "installing Chromium"
  log=$(mktemp)
  if ! { $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
    >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    exit 1
  fi
  rm -f "$log"
  chromium_is_here || { echo "Chromium was installed but is not found" >&2; exit 1; }
else
  echo "install Chromium or Google Chrome (macOS: brew install --cask chromium), then run this again" >&2
  exit 1
fi
