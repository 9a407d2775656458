#!/usr/bin/env bash
# Installs everything into the checkout: a virtual environment with pinned, hashed dependencies.
# Only what is no Python package comes from Debian, and only when this runs as root.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${VENV:-.venv}"

debian() { # program, package...
  local program="$1"; shift
  command -v "$program" >/dev/null 2>&1 && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing $* (for $program)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    echo "Please install $* first: $program is needed and this is not root on a Debian system." >&2
    return 1
  fi
}

python=""
for candidate in "${PYTHON:-}" python3.11 python3; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 \
     && "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))'; then
    python="$candidate"; break
  fi
done
if [ -z "$python" ]; then echo "Python 3.11 or newer is needed." >&2; exit 1; fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then debian no-such-program python3-venv; fi

debian java openjdk-17-jre-headless
debian mvn maven

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
