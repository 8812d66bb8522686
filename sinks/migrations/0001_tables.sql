-- The tables. A row is known by its whole ORDER BY: a row that comes again replaces itself, the highest version stays.
-- Partitions follow from the identity, so all versions of a row meet. Comments are the records' own words, with units.
-- Deduplication of inserts stays off: after a kill it dropped the repetition of a block that was never stored.

CREATE DATABASE IF NOT EXISTS {database};

CREATE TABLE IF NOT EXISTS {database}.liquidations
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract, upper case: 1000SHIBUSDT is SHIB',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    id FixedString(32) CODEC(ZSTD(1)) COMMENT 'hash of what the exchange printed, 32 hex digits: the identity of the event everywhere',
    position Enum8('UNKNOWN' = 0, 'LONG' = 1, 'SHORT' = 2) COMMENT 'the position that was closed, never the order''s side',
    price Float64 CODEC(ZSTD(1)) COMMENT 'quote currency''s price of one coin of the asset; price_kind says which price',
    price_native Float64 CODEC(ZSTD(1)) COMMENT 'price as printed; a scaled contract such as 1000PEPEUSDT prints that of 1000 coins',
    price_kind Enum8('UNKNOWN' = 0, 'FILL' = 1, 'BANKRUPTCY' = 2, 'ORDER' = 3, 'MARK' = 4, 'TRIGGER' = 5) COMMENT 'which price this is',
    quantity_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins of the asset; null until contract facts prove it',
    quantity_kind Enum8('UNKNOWN' = 0, 'FILLED' = 1, 'ORDERED' = 2) COMMENT 'filled or ordered quantity',
    quantity_native Float64 CODEC(ZSTD(1)) COMMENT 'quantity as printed, in native_unit',
    native_unit Enum8('UNKNOWN' = 0, 'BASE' = 1, 'CONTRACTS' = 2, 'QUOTE' = 3, 'USD' = 4) COMMENT 'unit of quantity_native',
    notional_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars at `price`; null until contract facts prove it',
    reason Enum8('UNKNOWN' = 0, 'LIQUIDATION' = 1, 'DELEVERAGING' = 2, 'BACKSTOP' = 3) COMMENT 'liquidation, deleveraging or backstop',
    source_quality Enum8('UNKNOWN' = 0, 'COMPLETE' = 1, 'CAPPED' = 2, 'SNAPSHOT' = 3, 'POLLED' = 4, 'SAMPLED' = 5, 'INFERRED' = 6) COMMENT 'how much of the truth the source shows',
    channel Enum8('UNKNOWN' = 0, 'STREAM' = 1, 'REST' = 2) COMMENT 'stream or REST',
    native_id Nullable(String) CODEC(ZSTD(1)) COMMENT 'the exchange''s own id of the event, where it has one',
    raw_partition Int64 CODEC(T64, ZSTD(1)) COMMENT 'lineage: partition of the raw batch',
    raw_offset Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'lineage: offset of the raw batch',
    raw_index Int64 CODEC(T64, ZSTD(1)) COMMENT 'lineage: index of the frame in the batch',
    revision UInt64 CODEC(T64, ZSTD(1)) COMMENT 'revision of the mapping that made this record',
    retracted UInt8 COMMENT 'true where a later mapping does not produce this id any more'
)
ENGINE = ReplacingMergeTree(revision, retracted)
PARTITION BY toYYYYMM(event_time)
ORDER BY (exchange, symbol, event_time, id)
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Positions closed by their exchanges, each known by what the exchange printed. Read v_liquidations.';

CREATE TABLE IF NOT EXISTS {database}.open_interest
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract, upper case: 1000SHIBUSDT is SHIB',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    open_interest_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins of the asset, one side',
    open_interest_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars at the mark price, one side',
    open_interest_native Float64 CODEC(ZSTD(1)) COMMENT 'as printed, in native_unit, one side',
    native_unit Enum8('UNKNOWN' = 0, 'BASE' = 1, 'CONTRACTS' = 2, 'QUOTE' = 3, 'USD' = 4) COMMENT 'unit of open_interest_native',
    channel Enum8('UNKNOWN' = 0, 'STREAM' = 1, 'REST' = 2) COMMENT 'stream or REST'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMM(event_time)
ORDER BY (exchange, symbol, event_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'Open interest of contracts, one-sided, a row when it changed. Read v_open_interest.';

CREATE TABLE IF NOT EXISTS {database}.funding
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract, upper case: 1000SHIBUSDT is SHIB',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    rate Float64 CODEC(ZSTD(1)) COMMENT 'fraction of the notional per interval; positive: longs pay shorts',
    interval_hours Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'hours between two payments',
    rate_8h Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'rate for eight hours: rate x 8 / interval_hours',
    rate_year Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'rate for 365 days, not compounded: rate x 8760 / interval_hours',
    kind Enum8('UNKNOWN' = 0, 'PREDICTED' = 1, 'SETTLED' = 2) COMMENT 'predicted until it is charged, then settled',
    next_funding_time Nullable(DateTime64(3, 'UTC')) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'when the rate is charged, UTC',
    channel Enum8('UNKNOWN' = 0, 'STREAM' = 1, 'REST' = 2) COMMENT 'stream or REST'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMM(event_time)
ORDER BY (exchange, symbol, kind, event_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'Funding rates of perpetuals, a row when they changed. Read v_funding.';

CREATE TABLE IF NOT EXISTS {database}.market_seconds
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    second_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'start of the second by the collector''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock of the newest frame in it, UTC',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock of the newest change, UTC',
    mark Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last mark price, quote currency per coin',
    `index` Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last index price, quote currency per coin',
    last Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last traded price, quote currency per coin',
    trades Nullable(Int64) CODEC(T64, ZSTD(1)) COMMENT 'number of trades; null where none was seen',
    taker_buy_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins bought by takers; null where no trade was seen',
    taker_sell_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins sold by takers; null where no trade was seen',
    taker_buy_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars bought by takers; null where no trade was seen or proven',
    taker_sell_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars sold by takers; null where no trade was seen or proven',
    high Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'highest trade, quote currency per coin',
    low Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'lowest trade, quote currency per coin',
    large_buy_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'part of taker_buy_base from large trades',
    large_sell_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'part of taker_sell_base from large trades'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMMDD(second_time)
ORDER BY (exchange, symbol, second_time)
TTL toDateTime(second_time) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'Marks and trades of one exchange, symbol and second, where they changed; kept for 7 days. Read v_market_seconds.';

CREATE TABLE IF NOT EXISTS {database}.instruments
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract, upper case: 1000SHIBUSDT is SHIB',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    kind Enum8('UNKNOWN' = 0, 'LINEAR' = 1, 'INVERSE' = 2, 'QUANTO' = 3) COMMENT 'linear, inverse or quanto',
    base LowCardinality(String) COMMENT 'base coin as the exchange names it: 1000PEPE',
    quote LowCardinality(String) COMMENT 'currency of the price',
    settle LowCardinality(String) COMMENT 'currency of margin and profit',
    scale Int64 CODEC(T64, ZSTD(1)) COMMENT 'coins of the asset in one base coin: 1000 for 1000PEPE',
    multiplier Float64 CODEC(ZSTD(1)) COMMENT 'what one unit of quantity stands for, in multiplier_unit',
    multiplier_unit Enum8('UNKNOWN' = 0, 'BASE' = 1, 'CONTRACTS' = 2, 'QUOTE' = 3, 'USD' = 4) COMMENT 'BASE: base coins; QUOTE: quote currency; USD: US dollars',
    is_perpetual Bool COMMENT 'false for a dated future',
    expiry_time Nullable(DateTime64(3, 'UTC')) CODEC(DoubleDelta, ZSTD(1)) COMMENT 'delivery of a dated future or of a perpetual that is taken off, UTC',
    tick_size Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'smallest step of the printed price',
    quantity_step Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'smallest step of the printed quantity',
    max_leverage Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'largest leverage at the lowest tier',
    funding_interval_hours Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'hours between two funding payments',
    status LowCardinality(String) COMMENT 'the exchange''s own word: Trading',
    valid_from_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'first time these facts were seen, UTC'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMM(valid_from_time)
ORDER BY (exchange, symbol, valid_from_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'Facts of contracts, each valid from a moment on. Read v_instruments.';

CREATE TABLE IF NOT EXISTS {database}.minutes
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract',
    minute_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'start of the minute by the exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock of the newest frame behind this row, UTC',
    long_count Int64 CODEC(T64, ZSTD(1)) COMMENT 'liquidated longs',
    short_count Int64 CODEC(T64, ZSTD(1)) COMMENT 'liquidated shorts',
    long_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins of liquidated longs; null where one of them is not proven',
    short_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins of liquidated shorts; null where one of them is not proven',
    long_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars of liquidated longs; null where one of them is not proven',
    short_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars of liquidated shorts; null where one of them is not proven',
    largest_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars of the largest one; null where one is not proven',
    price_low Float64 CODEC(ZSTD(1)) COMMENT 'lowest price, quote currency per coin',
    price_high Float64 CODEC(ZSTD(1)) COMMENT 'highest price, quote currency per coin',
    price_vwap Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'price weighted by coins; null where coins are not proven',
    source_quality Enum8('UNKNOWN' = 0, 'COMPLETE' = 1, 'CAPPED' = 2, 'SNAPSHOT' = 3, 'POLLED' = 4, 'SAMPLED' = 5, 'INFERRED' = 6) COMMENT 'the worst quality among the liquidations',
    late_count Int64 CODEC(T64, ZSTD(1)) COMMENT 'liquidations that came after the minute was final',
    is_final Bool COMMENT 'the exchange''s clock has passed the minute by five seconds',
    version UInt64 CODEC(T64, ZSTD(1)) COMMENT 'revision << 32 | 2 x liquidations + is_final: the highest is the truth'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute_time)
ORDER BY (exchange, symbol, minute_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'Liquidations of one exchange, symbol and minute; minutes without any have no row. Read v_minutes.';

CREATE TABLE IF NOT EXISTS {database}.market_minutes
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract',
    minute_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'start of the minute by the exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock of the newest frame behind this row, UTC',
    mark_open Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'first mark price, quote currency per coin',
    mark_high Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'highest mark price, quote currency per coin',
    mark_low Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'lowest mark price, quote currency per coin',
    mark_close Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last mark price, quote currency per coin',
    index_close Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last index price, quote currency per coin',
    last_close Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last traded price, quote currency per coin',
    open_interest_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last open interest, coins, one side',
    open_interest_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last open interest, US dollars, one side',
    funding_rate Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'last funding rate, fraction per interval',
    trades Nullable(Int64) CODEC(T64, ZSTD(1)) COMMENT 'number of trades; null where none was seen',
    taker_buy_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins bought by takers; null where no trade was seen',
    taker_sell_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'coins sold by takers; null where no trade was seen',
    taker_buy_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars bought by takers; null where no trade was seen or proven',
    taker_sell_usd Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'US dollars sold by takers; null where no trade was seen or proven',
    large_buy_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'part of taker_buy_base from large trades',
    large_sell_base Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'part of taker_sell_base from large trades',
    is_final Bool COMMENT 'the exchange''s clock has passed the minute by five seconds',
    version UInt64 CODEC(T64, ZSTD(1)) COMMENT 'revision << 32 | 2 x observations + is_final: the highest is the truth'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute_time)
ORDER BY (exchange, symbol, minute_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'Market of one exchange, symbol and minute. Read v_market_minutes.';

CREATE TABLE IF NOT EXISTS {database}.dead_letters
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    stage LowCardinality(String) COMMENT 'stage that could not understand them: normalize',
    channel LowCardinality(String) COMMENT 'channel of the exchange, as far as it could be told; else empty',
    reason String CODEC(ZSTD(1)) COMMENT 'what was seen, then what was expected',
    source LowCardinality(String) COMMENT 'URL of the socket or the request',
    topic LowCardinality(String) COMMENT 'topic of the record, without the prefix of the market',
    partition Int64 CODEC(T64, ZSTD(1)) COMMENT 'partition of the record',
    offset Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'offset of the record',
    `index` Int64 CODEC(T64, ZSTD(1)) COMMENT 'index of the frame in the batch',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    is_parked Bool COMMENT 'the channel failed so often in a row that only a sample of its frames is kept here',
    suppressed Int64 CODEC(T64, ZSTD(1)) COMMENT 'frames of this channel that failed since its previous dead letter and are not kept here',
    payload String CODEC(ZSTD(6)) COMMENT 'the original bytes'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMM(received_time)
ORDER BY (topic, partition, offset, `index`, stage)
TTL toDateTime(received_time) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'Bytes that could not be understood, where they lie, and why; kept for 90 days. Read v_dead_letters.';
