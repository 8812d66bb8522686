"""One module per exchange: how it prints the market, and how one talks to it."""
