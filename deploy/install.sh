#!/bin/sh
# Installs what is locked into a virtual environment: install.sh VENV [PYTHON]. Says what is missing and how to get it.
set -eu
venv=$1
disk_needed_mb=3000

say() { printf 'liqstream: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

usable() { # a Python that this project runs on, with what it takes to make a virtual environment
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "this is $(uname -s) $(uname -m); the embedded Kafka and ClickHouse run on Linux x86_64 only"
free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
[ "$free_mb" -ge "$disk_needed_mb" ] || fail "$free_mb MB are free here, $disk_needed_mb MB are needed: free some"

python=
for candidate in ${2:-} python3 python3.13 python3.12 python3.11; do
    if usable "$candidate"; then python=$candidate && break; fi
done
[ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 with venv is missing; Debian and Ubuntu: apt-get install python3 python3-venv"

say "installing the locked packages into $venv (some 1.2 GB, a minute or two; once)"
quiet=--quiet
if [ -t 2 ]; then quiet=; fi # a person sees what is downloaded, a log only what fails
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install $quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock ||
    fail "the packages could not be installed, see above; pip says which one. A mirror is set with PIP_INDEX_URL"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch "$venv/installed"
say "installed with $("$python" --version)"
