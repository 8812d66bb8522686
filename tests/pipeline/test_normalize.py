"""`liq normalize` as a user runs it: frames in, records out, no Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

LINEAR = "wss://stream.bybit.com/v5/public/linear"
PRINT = '{"T":1789670094099,"s":"ICPUSDT","S":"Buy","v":"19.7","p":"2.585"}'
FRAME = f'{{"topic":"allLiquidation.ICPUSDT","type":"snapshot","ts":1789670094412,"data":[{PRINT}]}}'
INSTRUMENTS = "GET https://api.bybit.com/v5/market/instruments-info?category=linear"
ICP = {
    "symbol": "ICPUSDT",
    "contractType": "LinearPerpetual",
    "status": "Trading",
    "baseCoin": "ICP",
    "quoteCoin": "USDT",
    "settleCoin": "USDT",
    "launchTime": "1585526400000",
    "deliveryTime": "0",
    "fundingInterval": 480,
    "leverageFilter": {"maxLeverage": "50.00"},
    "priceFilter": {"tickSize": "0.001"},
    "lotSizeFilter": {"qtyStep": "0.1"},
}
ANSWER = {
    "retCode": 0,
    "retMsg": "OK",
    "result": {"category": "linear", "list": [ICP], "nextPageCursor": ""},
    "time": 1789670093000,
}


def line(payload: str, source: str = "", received_ms: int = 1_789_670_094_500) -> str:
    return json.dumps({"received_ns": received_ms * 1_000_000, "source": source, "payload": payload})


def normalized(*lines: str, exchange: str = "bybit") -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "normalize", exchange],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [json.loads(text) for text in done.stdout.splitlines()], done


def test_instruments_reach_it_as_the_exchanges_own_answers() -> None:
    records, done = normalized(
        line(json.dumps(ANSWER), INSTRUMENTS, 1_789_670_093_000), line(FRAME, LINEAR), line(FRAME, LINEAR)
    )

    assert done.returncode == 0, done.stderr
    assert [record["record"] for record in records] == ["Instrument", "Liquidation", "MinuteAggregate"]
    liquidation = records[1]
    assert (liquidation["position"], liquidation["quantity_base"], liquidation["raw_offset"]) == ("LONG", 19.7, 2)
    assert abs(liquidation["notional_usd"] - 19.7 * 2.585) < 1e-9
    assert (records[2]["long_count"], records[2]["long_usd"]) == (1, liquidation["notional_usd"])


def test_without_instrument_and_source_a_frame_decides_alone_and_proves_no_dollars() -> None:
    [liquidation, _], done = normalized(line(FRAME))

    assert done.returncode == 0
    assert (liquidation["asset"], liquidation["quantity_base"], liquidation["notional_usd"]) == ("ICP", 19.7, None)


def test_a_liquidation_of_which_nothing_was_executed_is_told_beside_the_records() -> None:
    order = {"s": "BTCUSDT", "S": "SELL", "p": "63000", "ap": "0", "z": "0", "X": "EXPIRED", "T": 1_789_670_094_000}
    event = {"e": "forceOrder", "E": 1_789_670_094_100, "o": {"o": "LIMIT", "f": "IOC", "q": "0.7", "l": "0", **order}}
    records, done = normalized(line(json.dumps({"stream": "!forceOrder@arr", "data": event})), exchange="binance")

    assert (records, done.returncode) == ([], 0)
    assert "1 printed liquidations had nothing executed" in done.stderr


def test_what_cannot_be_understood_is_a_dead_letter_and_code_5() -> None:
    [letter, _, _], done = normalized(line("{oops", LINEAR), line(FRAME, LINEAR))

    assert done.returncode == 5
    assert (letter["record"], letter["payload"], letter["source"]) == ("DeadLetter", "{oops", LINEAR)
    assert "1 frames could not be understood" in done.stderr


def test_frames_that_a_parked_channel_hides_are_counted_too() -> None:
    letters, done = normalized(*[line("{oops", LINEAR)] * 30)

    assert (len(letters), done.returncode) == (20, 5)
    assert "30 frames could not be understood; 20 of them are among the records as DeadLetter" in done.stderr


def test_a_time_that_is_none_is_an_error_that_names_the_line() -> None:
    _, done = normalized(line(FRAME, received_ms=10**30))

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("liq: line 1: ")


@pytest.mark.parametrize(("out", "code", "said"), [("| true", 0, ""), ("> /dev/full", 1, "No space left on device")])
def test_an_output_that_is_closed_or_full_is_no_traceback(out: str, code: int, said: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m pipeline config show {out}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_line_of_another_form_is_an_error_that_names_it() -> None:
    records, done = normalized(line(FRAME), '{"payload": 5}')

    assert (done.returncode, [record["record"] for record in records]) == (1, ["Liquidation"])
    assert "line 2: " in done.stderr
