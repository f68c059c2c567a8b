"""Operators: their definitions in plain MLX operations, their derivatives, and who computes them."""
