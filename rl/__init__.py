"""Stage 3: adapter and rewards → better adapter, by GRPO."""
