"""A market whose truth is known, and local servers that speak each exchange's own protocol."""
