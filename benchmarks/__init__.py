"""Times the rows of the parity table, side by side with their references."""
