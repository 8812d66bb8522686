"""Real servers without Docker: Apache Kafka and the ClickHouse engine, as children of this process."""
