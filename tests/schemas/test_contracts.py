"""Topics, partitions, assets and identity: what other programs rely on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st

from embedded.kafka import Broker
from schemas.assets import Asset, asset_of, counts_as_usd
from schemas.exchanges import RAW_PARTITION, RAW_PARTITIONS
from schemas.identity import liquidation_id
from schemas.partition import PARTITIONER, murmur2, partition_of
from schemas.topics import TOPICS, full_name, logical_name


def test_every_exchange_has_a_raw_partition_of_its_own() -> None:
    assert len(set(RAW_PARTITION.values())) == len(RAW_PARTITION)
    assert all(0 <= number < RAW_PARTITIONS for number in RAW_PARTITION.values())
    assert RAW_PARTITION["bybit"] == 1


@pytest.mark.parametrize("name", TOPICS)
def test_a_name_finds_its_topic_again(name: str) -> None:
    assert full_name("liq.sim.", "raw") == "liq.sim.raw.v1"
    assert logical_name("liq.sim.", full_name("liq.sim.", name)) == name


def test_topics_cut_by_asset_have_equal_partitions() -> None:
    assert {topic.partitions(12) for topic in TOPICS.values() if topic.cut == "asset"} == {12}
    assert TOPICS["raw"].partitions(12) == TOPICS["state.normalize"].partitions(12) == RAW_PARTITIONS


@given(st.binary(max_size=40))
def test_our_hash_is_that_of_aiokafka_and_so_of_faust(data: bytes) -> None:
    assert murmur2(data) == aiokafka_murmur2(data) & 0xFFFFFFFF


def test_librdkafka_puts_a_key_where_we_say(broker: Broker, topic_prefix: str) -> None:
    """librdkafka's murmur2_random, asked with a real topic of twelve partitions."""
    topic, found = f"{topic_prefix}cut", dict[str, int]()

    def note(_: object, message: Message) -> None:
        found[(message.key() or b"").decode()] = message.partition() or 0

    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, 12, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "partitioner": PARTITIONER})
    assets = ["BTC", "ETH", "SOL", "PEPE", "SHIB", "1INCH", "A", "XAUT", "ÉTOILE"]
    for asset in assets:
        producer.produce(topic, b"", asset, on_delivery=note)
    producer.flush(20)

    assert found == {asset: partition_of(asset, 12) for asset in assets}


@pytest.mark.parametrize(
    ("coin", "asset"),
    [
        ("BTC", Asset("BTC", 1)),
        ("1000PEPE", Asset("PEPE", 1000)),
        ("SHIB1000", Asset("SHIB", 1000)),
        ("10000LADYS", Asset("LADYS", 10_000)),
        ("1000000MOG", Asset("MOG", 1_000_000)),
        ("1MBABYDOGE", Asset("BABYDOGE", 1_000_000)),
        ("1INCH", Asset("1INCH", 1)),
        ("100X", Asset("100X", 1)),
        ("btc", Asset("BTC", 1)),
    ],
)
def test_a_scale_is_a_power_of_ten_of_1000_and_more(coin: str, asset: Asset) -> None:
    assert asset_of(coin) == asset


def test_stablecoins_count_as_dollars_and_nothing_else_does() -> None:
    assert [counts_as_usd(quote) for quote in ("USDT", "USDC", "USD", "BTC", "EUR", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def identity(printed: Sequence[str], ordinal: int) -> str:
    exchange, category, symbol, side, price, quantity, event, native_id = printed
    return liquidation_id(exchange, category, symbol, side, price, quantity, event, native_id, ordinal)


def test_identity_depends_on_every_printed_field_and_on_nothing_else() -> None:
    printed = ["bybit", "linear", "ICPUSDT", "Buy", "2.585", "19.7", "1789670094099", ""]
    others = {identity([*printed[:i], printed[i] + "0", *printed[i + 1 :]], 0) for i in range(len(printed))}

    assert len({identity(printed, 0), identity(printed, 1), *others}) == 10
    assert identity(printed, 0) == "9b29cea5a197ebd2fa54cd85d1f11bc3", "ids are for ever: tables and topics hold them"
