#!/bin/sh
# Builds the wheel, installs it away from the checkout, and tries it there: wheel.sh PYTHON
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
"$python" -m build --quiet --wheel --no-isolation --outdir "$away/dist" .
"$python" -m uv venv --quiet --python "$python" "$away/venv"
"$python" -m uv pip install --quiet --python "$away/venv" --require-hashes --only-binary :all: -r requirements.lock
"$python" -m uv pip install --quiet --python "$away/venv" --no-deps "$away"/dist/*.whl
cd "$away"
venv/bin/liq --help
venv/bin/python -c '
import pathlib
import embedded, schemas
from schemas.avro import ids, parsed
from sinks.migrate import migrations
assert pathlib.Path(schemas.__file__).is_relative_to("'"$away"'"), schemas.__file__
assert pathlib.Path(embedded.__file__).with_name("kafka.lock").is_file()
for name in ids():
    parsed(name)
print(f"wheel: {len(ids())} schemas load, {len(migrations())} migrations")
'
