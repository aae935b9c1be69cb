"""Stage 2: verified traces → adapter."""
