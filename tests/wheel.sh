#!/bin/sh
# Builds the wheel, installs it away from the checkout, and tries it there: wheel.sh PYTHON
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
"$python" -m build --quiet --wheel --no-isolation --outdir "$away/dist" .
"$python" -m venv --without-pip "$away/venv"
"$python" -m pip --python "$away/venv" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
"$python" -m pip --python "$away/venv" install --quiet --disable-pip-version-check --no-deps "$away"/dist/*.whl
cd "$away"
venv/bin/liq --help
venv/bin/python -c '
import schemas, pathlib
from schemas.avro import ids, parsed
assert str(pathlib.Path(schemas.__file__)).startswith("'"$away"'"), schemas.__file__
for name in ids():
    parsed(name)
print(f"wheel: {len(ids())} schemas load")
'
