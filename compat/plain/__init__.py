"""Libraries by plain definitions, for where they are not installed, or don't load."""
