"""The parity table: every function against its reference and against float64."""
