"""The pages about topics and records are complete, and not older than the schemas."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.describe import MARK, PAGE, page
from schemas.raw import Control, RawBatch, Source
from schemas.records import RECORDS, MarketEntry

RECORDS_PAGE = Path(PAGE).with_name("records.md")


def test_the_page_of_topics_is_what_the_schemas_say() -> None:
    now = PAGE.read_text()
    assert page(now) == now, "run `make docs`"


def test_a_page_without_its_mark_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="below which the topics are written"):
        page("something else")


def test_what_stands_above_the_mark_stays() -> None:
    assert page(f"by hand\n{MARK}\nold").startswith(f"by hand\n{MARK}\n\n| topic |")


@pytest.mark.parametrize(
    "record", [RawBatch, Source, Control, MarketEntry, *RECORDS], ids=lambda record: record.__name__
)
def test_the_page_of_records_says_every_field_in_words(record: type) -> None:
    text = RECORDS_PAGE.read_text()
    assert [info.name for info in msgspec.structs.fields(record) if f"`{info.name}`" not in text] == []
