from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from schemas.assets import asset_of
from schemas.records import ContractKind
from simulator.contracts import Contract, listing

OPENED_MS = 1_795_000_000_000  # 18 November 2026


def test_twenty_five_coins_have_sixty_contracts_of_all_kinds() -> None:
    contracts = listing(OPENED_MS)

    kinds = Counter((contract.kind, contract.quote, contract.expiry_ms is None) for contract in contracts)
    assert kinds == {
        (ContractKind.LINEAR, "USDT", True): 25,
        (ContractKind.LINEAR, "USDC", True): 17,
        (ContractKind.INVERSE, "USD", True): 14,
        (ContractKind.LINEAR, "USDT", False): 1,
        (ContractKind.LINEAR, "USDC", False): 1,
        (ContractKind.INVERSE, "USD", False): 2,
    }
    assert len(set(contracts)) == len(contracts) == 60


@pytest.mark.parametrize(
    ("opened", "expires"),
    [
        (datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 12, 25, 8, tzinfo=UTC)),
        (datetime(2026, 12, 10, 23, tzinfo=UTC), datetime(2027, 3, 26, 8, tzinfo=UTC)),
    ],
)
def test_a_future_expires_on_the_last_friday_of_a_quarter_and_not_soon(opened: datetime, expires: datetime) -> None:
    contracts = listing(int(opened.timestamp() * 1000))

    assert {contract.expiry_ms for contract in contracts} == {None, int(expires.timestamp() * 1000)}


def test_more_coins_are_made_up_and_their_names_hide_no_scale() -> None:
    contracts = listing(OPENED_MS, coins=300)

    assert len(contracts) == 335
    assert Contract("SIMAA", "USDT", ContractKind.LINEAR) in contracts
    assert {asset_of(contract.asset).scale for contract in contracts} == {1}
