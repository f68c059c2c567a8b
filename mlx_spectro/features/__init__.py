"""What a user calls: MLX arrays in and out, one feature a file."""
