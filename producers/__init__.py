"""Sockets and polls in, untouched frames out: knows how to connect, not what a payload means."""
