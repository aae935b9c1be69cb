"""Stage 4: models → predictions, scores, table."""
