"""The command ``mlx-spectro``, the programs that it runs, and notebooks."""
