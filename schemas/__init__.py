"""The contracts: records, topics, Avro, identity. Imports nothing of ours."""
