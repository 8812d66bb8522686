-- What is proven of each minute, the frames behind liquidations, and minutes in which zero and unknown differ.

CREATE TABLE IF NOT EXISTS {database}.coverage
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    stream LowCardinality(String) COMMENT 'liquidations, quotes, trades, open-interest or funding',
    minute_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'start of the minute by the collector''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock of the heartbeat that told this, UTC',
    connected_ms Int64 CODEC(T64, ZSTD(1)) COMMENT 'milliseconds in which a socket was open that carries channels of this stream',
    subscribed_ms Int64 CODEC(T64, ZSTD(1)) COMMENT 'milliseconds in which all its channels were subscribed and proven complete',
    gap_ms Int64 CODEC(T64, ZSTD(1)) COMMENT 'milliseconds in which at least one of its channels missed frames',
    frames Int64 CODEC(T64, ZSTD(1)) COMMENT 'frames and answers that brought facts of this stream',
    gaps Int64 CODEC(T64, ZSTD(1)) COMMENT 'stretches of the minute that gap_ms adds up',
    reconnects Int64 CODEC(T64, ZSTD(1)) COMMENT 'sockets that carried channels of this stream and ended',
    parked_frames Int64 CODEC(T64, ZSTD(1)) COMMENT 'frames of its channels, or of no channel that could be told, that nobody understood',
    proven_by LowCardinality(String) COMMENT 'stream on the same sockets whose frames show that they delivered; empty: none did',
    is_alive Bool COMMENT 'proven complete from 2 s before the minute to 2 s after it: no liquidation means none',
    is_final Bool COMMENT 'the producer''s proof has passed the minute by 2 s; only a later gap still changes it',
    version UInt64 CODEC(T64, ZSTD(1)) COMMENT 'revision << 32 | milliseconds from minute_ms to received_ms: the highest is the truth'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(minute_time)
ORDER BY (exchange, stream, minute_time)
SETTINGS non_replicated_deduplication_window = 0
COMMENT 'What is proven of one stream of an exchange in one minute of the collector''s clock. Read v_coverage.';

CREATE TABLE IF NOT EXISTS {database}.evidence
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract, upper case: 1000SHIBUSDT is SHIB',
    event_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'exchange''s clock, UTC',
    received_time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)) COMMENT 'collector''s clock when the frame arrived, UTC',
    id FixedString(32) CODEC(ZSTD(1)) COMMENT 'id of the liquidation, 32 hex digits',
    source LowCardinality(String) COMMENT 'URL of the socket or the request',
    raw_partition Int64 CODEC(T64, ZSTD(1)) COMMENT 'lineage: partition of the raw batch',
    raw_offset Int64 CODEC(Delta(8), ZSTD(1)) COMMENT 'lineage: offset of the raw batch',
    raw_index Int64 CODEC(T64, ZSTD(1)) COMMENT 'lineage: index of the frame in the batch',
    is_cut Bool COMMENT 'the frame is longer than 64 KiB and `payload` has only the beginning; raw has all of it',
    payload String CODEC(ZSTD(6)) COMMENT 'the original bytes'
)
ENGINE = ReplacingMergeTree(received_time)
PARTITION BY toYYYYMMDD(received_time)
ORDER BY (id, raw_partition, raw_offset, raw_index)
TTL toDateTime(received_time) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'The frame behind each liquidation, as it arrived; kept for 30 days. Read v_evidence.';

CREATE OR REPLACE VIEW {database}.v_coverage AS
SELECT * FROM {database}.coverage FINAL
COMMENT 'What is proven of each minute, the newest version; is_final says whether more will be known.';

CREATE OR REPLACE VIEW {database}.v_coverage_final AS
SELECT * FROM {database}.coverage FINAL WHERE is_final
COMMENT 'What is proven of each minute that is final: only a gap that is told later or a replay still changes it.';

CREATE OR REPLACE VIEW {database}.v_evidence AS
SELECT * FROM {database}.evidence FINAL
COMMENT 'The frame behind each liquidation, once for each place in raw that showed it.';

CREATE OR REPLACE VIEW {database}.v_minutes_dense
(
    exchange LowCardinality(String) COMMENT 'exchange: bybit',
    symbol LowCardinality(String) COMMENT 'the exchange''s own symbol, unchanged',
    asset LowCardinality(String) COMMENT 'coin of the contract',
    minute_time DateTime64(3, 'UTC') COMMENT 'start of the minute by the exchange''s clock, UTC',
    is_covered Bool COMMENT 'every liquidation that the exchange showed in this minute is known; else the row is a lower bound',
    long_count Nullable(Int64) COMMENT 'liquidated longs; 0 where none came and the minute is covered, null where that is not known',
    short_count Nullable(Int64) COMMENT 'liquidated shorts; 0 where none came and the minute is covered, null where that is not known',
    long_base Nullable(Float64) COMMENT 'coins of liquidated longs; 0 where none came and the minute is covered, null where that is not known or not proven',
    short_base Nullable(Float64) COMMENT 'coins of liquidated shorts; 0 where none came and the minute is covered, null where that is not known or not proven',
    long_usd Nullable(Float64) COMMENT 'US dollars of liquidated longs; 0 where none came and the minute is covered, null where that is not known or not proven',
    short_usd Nullable(Float64) COMMENT 'US dollars of liquidated shorts; 0 where none came and the minute is covered, null where that is not known or not proven',
    largest_usd Nullable(Float64) COMMENT 'US dollars of the largest one; 0 where none came and the minute is covered, null where that is not known or not proven',
    price_low Nullable(Float64) COMMENT 'lowest price, quote currency per coin; null where none came',
    price_high Nullable(Float64) COMMENT 'highest price, quote currency per coin; null where none came',
    price_vwap Nullable(Float64) COMMENT 'price weighted by coins; null where coins are not proven; null where none came',
    source_quality Nullable(Enum8('UNKNOWN' = 0, 'COMPLETE' = 1, 'CAPPED' = 2, 'SNAPSHOT' = 3, 'POLLED' = 4, 'SAMPLED' = 5, 'INFERRED' = 6)) COMMENT 'the worst quality among the liquidations; null where none came',
    late_count Nullable(Int64) COMMENT 'liquidations that came after the minute was final; null where none came',
    mark_open Nullable(Float64) COMMENT 'first mark price, quote currency per coin',
    mark_high Nullable(Float64) COMMENT 'highest mark price, quote currency per coin',
    mark_low Nullable(Float64) COMMENT 'lowest mark price, quote currency per coin',
    mark_close Nullable(Float64) COMMENT 'last mark price, quote currency per coin',
    index_close Nullable(Float64) COMMENT 'last index price, quote currency per coin',
    last_close Nullable(Float64) COMMENT 'last traded price, quote currency per coin',
    open_interest_base Nullable(Float64) COMMENT 'last open interest, coins, one side',
    open_interest_usd Nullable(Float64) COMMENT 'last open interest, US dollars, one side',
    funding_rate Nullable(Float64) COMMENT 'last funding rate, fraction per interval',
    trades Nullable(Int64) COMMENT 'number of trades; null where none was seen',
    taker_buy_base Nullable(Float64) COMMENT 'coins bought by takers; null where no trade was seen',
    taker_sell_base Nullable(Float64) COMMENT 'coins sold by takers; null where no trade was seen',
    taker_buy_usd Nullable(Float64) COMMENT 'US dollars bought by takers; null where no trade was seen or proven',
    taker_sell_usd Nullable(Float64) COMMENT 'US dollars sold by takers; null where no trade was seen or proven',
    large_buy_base Nullable(Float64) COMMENT 'part of taker_buy_base from large trades',
    large_sell_base Nullable(Float64) COMMENT 'part of taker_sell_base from large trades',
    is_final Bool COMMENT 'liquidations, market and coverage of this minute are final'
)
AS
WITH told.long_count IS NULL AND ifNull(covered.is_alive, false) AS is_zero
SELECT
    exchange, symbol, asset, minute_time,
    ifNull(covered.is_alive, false) AS is_covered,
    if(is_zero, 0, told.long_count) AS long_count,
    if(is_zero, 0, told.short_count) AS short_count,
    if(is_zero, 0, told.long_base) AS long_base,
    if(is_zero, 0, told.short_base) AS short_base,
    if(is_zero, 0, told.long_usd) AS long_usd,
    if(is_zero, 0, told.short_usd) AS short_usd,
    if(is_zero, 0, told.largest_usd) AS largest_usd,
    price_low, price_high, price_vwap, source_quality, late_count, mark_open, mark_high, mark_low, mark_close,
    index_close, last_close, open_interest_base, open_interest_usd, funding_rate, trades, taker_buy_base,
    taker_sell_base, taker_buy_usd, taker_sell_usd, large_buy_base, large_sell_base,
    told.is_final AND ifNull(covered.is_final, false) AS is_final
FROM
(
    SELECT
        exchange, symbol, minute_time, any(asset) AS asset, min(is_final) AS is_final,
        any(long_count) AS long_count, any(short_count) AS short_count, any(long_base) AS long_base,
        any(short_base) AS short_base, any(long_usd) AS long_usd, any(short_usd) AS short_usd,
        any(largest_usd) AS largest_usd, any(price_low) AS price_low, any(price_high) AS price_high,
        any(price_vwap) AS price_vwap, any(source_quality) AS source_quality, any(late_count) AS late_count,
        any(mark_open) AS mark_open, any(mark_high) AS mark_high, any(mark_low) AS mark_low,
        any(mark_close) AS mark_close, any(index_close) AS index_close, any(last_close) AS last_close,
        any(open_interest_base) AS open_interest_base, any(open_interest_usd) AS open_interest_usd,
        any(funding_rate) AS funding_rate, any(trades) AS trades, any(taker_buy_base) AS taker_buy_base,
        any(taker_sell_base) AS taker_sell_base, any(taker_buy_usd) AS taker_buy_usd,
        any(taker_sell_usd) AS taker_sell_usd, any(large_buy_base) AS large_buy_base,
        any(large_sell_base) AS large_sell_base
    FROM
    (
        SELECT
            exchange, symbol, asset, minute_time, is_final,
            toNullable(long_count) AS long_count, toNullable(short_count) AS short_count,
            toNullable(long_base) AS long_base, toNullable(short_base) AS short_base,
            toNullable(long_usd) AS long_usd, toNullable(short_usd) AS short_usd,
            toNullable(largest_usd) AS largest_usd, toNullable(price_low) AS price_low,
            toNullable(price_high) AS price_high, toNullable(price_vwap) AS price_vwap,
            toNullable(source_quality) AS source_quality, toNullable(late_count) AS late_count,
            NULL AS mark_open, NULL AS mark_high, NULL AS mark_low, NULL AS mark_close, NULL AS index_close,
            NULL AS last_close, NULL AS open_interest_base, NULL AS open_interest_usd, NULL AS funding_rate,
            NULL AS trades, NULL AS taker_buy_base, NULL AS taker_sell_base, NULL AS taker_buy_usd,
            NULL AS taker_sell_usd, NULL AS large_buy_base, NULL AS large_sell_base
        FROM {database}.v_minutes
        UNION ALL
        SELECT
            exchange, symbol, asset, minute_time, is_final,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            mark_open, mark_high, mark_low, mark_close, index_close, last_close, open_interest_base,
            open_interest_usd, funding_rate, trades, taker_buy_base, taker_sell_base, taker_buy_usd, taker_sell_usd,
            large_buy_base, large_sell_base
        FROM {database}.v_market_minutes
    )
    GROUP BY exchange, symbol, minute_time
) AS told
LEFT JOIN
(
    SELECT exchange, minute_time, is_alive, is_final FROM {database}.v_coverage WHERE stream = 'liquidations'
) AS covered USING (exchange, minute_time)
COMMENT 'Minutes of each tracked symbol, with and without liquidations: zero where the feed was proven alive, null where it was not.';

CREATE OR REPLACE VIEW {database}.v_minutes_dense_final AS
SELECT * FROM {database}.v_minutes_dense WHERE is_final
COMMENT 'Minutes of each tracked symbol that are final: only a late record, a gap that is told later or a replay still changes them.';
