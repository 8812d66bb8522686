"""The product: its own worker with the settings it ships with, on the stage normalize."""

from __future__ import annotations

from processors.normalize.publications import OUTPUTS
from processors.processor import Processor
from processors.shell import run_worker
from processors.stages import STAGES, normalize
from schemas.exchanges import RAW_PARTITION

from ..frames import EXCHANGE
from .job import Job, job
from .meter import Meter, Metered


def main(given: Job) -> None:
    """Work until SIGTERM."""

    def make(lane: int) -> Processor:
        if lane != RAW_PARTITION[EXCHANGE]:
            return STAGES["normalize"].make(lane, given.asset_partitions)
        processor = normalize(EXCHANGE, given.asset_partitions, given.outputs)
        return Metered(processor, Meter(given.note))

    run_worker(given.run, make, ["raw"], OUTPUTS, prefix=given.prefix, client=given.client, instance=f"{given.run}-0")


if __name__ == "__main__":
    main(job())
