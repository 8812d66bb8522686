"""What each exchange's frames mean: one module per exchange, frames in, facts out."""
