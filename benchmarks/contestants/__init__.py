"""Who runs the same job on Kafka: the product's worker, a bare loop, and Faust as its manual shows it."""
