"""What an error of Kafka means: what to do about one that ends the sink, and which ones pass."""

from __future__ import annotations

from confluent_kafka import KafkaError

OUT_OF_RANGE = (
    "the records after the commit are no longer in the topic: publish them again with `liq replay`, "
    "then set the group's offsets to the earliest with Kafka's own tools"
)
ENDS_THE_SINK = {
    KafkaError._AUTO_OFFSET_RESET: OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART: "run `liq setup`",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "let the sink's user read the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "let the sink's user read the group",
    KafkaError._AUTHENTICATION: "compare the user and the password with the broker's",
}
LOST_MEMBERSHIP = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError._ASSIGNMENT_LOST,
}

# librdkafka's own `retriable()` is only meant for transactions.
PASSES = {
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._DESTROY_BROKER,  # the broker died while it was asked
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._WAIT_COORD,
}
