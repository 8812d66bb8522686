"""The Faust shell: runs deterministic processors on Kafka, at least once, in order, with their state."""

from .tuning import Tuning
from .worker import run_worker

__all__ = ["Tuning", "run_worker"]
