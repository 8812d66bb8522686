"""`python -m schemas.release`: writes the schema of each changed record as a new version with a new id."""

from __future__ import annotations

import json
from pathlib import Path

from .avro import RELEASED, ids, newest, released, schema_of
from .raw import RawBatch
from .records import RECORDS


def main() -> None:
    """Release what differs from its newest released version; released files never change."""
    folder, known = Path(str(RELEASED)), dict(ids())
    for record in (RawBatch, *RECORDS):
        version = 1 + max(
            (int(n.rpartition(".")[2]) for n in known if n.rpartition(".")[0] == record.__name__), default=0
        )
        if version > 1 and released(newest(record)) == schema_of(record):
            continue
        name = f"{record.__name__}.{version}"
        known[name] = max(known.values(), default=0) + 1
        (folder / f"{name}.avsc").write_text(json.dumps(schema_of(record), indent=2) + "\n")
        print(name, known[name])
    (folder / "ids.json").write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
