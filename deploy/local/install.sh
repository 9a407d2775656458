#!/usr/bin/env bash
# Installs everything into the checkout: a virtual environment with pinned, hashed dependencies.
# Only what is no Python package comes from Debian, and only when this runs as root.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${VENV:-.venv}"

python=""
for candidate in "${PYTHON:-}" python3.11 python3; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 \
     && "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))'; then
    python="$candidate"; break
  fi
done
if [ -z "$python" ]; then echo "Python 3.11 or newer is needed." >&2; exit 1; fi

missing=()
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ -x "${JAVA_HOME:-/nowhere}/bin/java" ] || command -v java >/dev/null 2>&1 || missing+=(openjdk-17-jre-headless)
command -v mvn >/dev/null 2>&1 || missing+=(maven)
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Please install first, as root: ${missing[*]} (Debian's names; this is not root on a Debian system)." >&2
    exit 1
  fi
  echo "installing ${missing[*]}"
  log="$(mktemp)"
  if ! { apt-get update -qq \
         && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
       >"$log" 2>&1; then
    cat "$log" >&2
    echo "Debian's packages could not be installed: ${missing[*]}." >&2
    exit 1
  fi
  rm -f "$log"
fi

"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
# The matching engine is compiled once, here, so that no round waits for it.
"$venv/bin/python" -m services.matching.engine.warm rounds
