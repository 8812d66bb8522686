"""Topics to ClickHouse: tables, batches, inserts that may be repeated without harm."""
