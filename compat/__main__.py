"""python -m mlx_spectro.compat: the command ``mlx-spectro``."""

from .runner.cli import main

if __name__ == "__main__":
    main()
