"""Times the rows of the parity table, side by side with their references."""

import os

# what serves a call is not to depend on what was compiled before
os.environ.setdefault("MLX_SPECTRO_COMPILATION", "blocking")
