"""Whether the sink has landed what lies in the topics: only then the tables can be compared with each other."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition

from .exits import Ended
from .reading import REQUEST_LIMIT_S, partitions, patiently
from .settings import Settings

COMPARED = ("liquidations", "minutes")


def sink_is_behind(settings: Settings, time_ms: int) -> bool:
    """Say whether records from before a time still wait for the sink; a sink that never ran is not waited for."""
    looks_only = {"group.id": f"{settings.prefix}sink", "enable.auto.commit": False, "log_level": 3}
    client = Consumer({**settings.kafka, **looks_only})
    try:
        places = partitions(client, settings, COMPARED)
        done = client.committed(places, timeout=REQUEST_LIMIT_S)
        asked = [TopicPartition(place.topic, place.partition, time_ms) for place in places]
        following = patiently(lambda: client.offsets_for_times(asked, timeout=REQUEST_LIMIT_S))
        return any(0 <= mark.offset < _end(client, place) for mark, place in zip(done, following, strict=True))
    except KafkaException as error:
        raise Ended(f"Kafka does not say how far the sink is: {error.args[0].str()}") from error
    finally:
        client.close()


def _end(client: Consumer, place: TopicPartition) -> int:
    """Return the offset of the first record from that time on; where there is none, that of the next one to come."""
    if place.offset >= 0:
        return place.offset
    newest = TopicPartition(place.topic, place.partition)
    return patiently(lambda: client.get_watermark_offsets(newest, timeout=REQUEST_LIMIT_S))[1]
