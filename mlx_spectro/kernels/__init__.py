"""GPU kernels."""


def available() -> bool:
    return False


def why_not(op: str, n_fft: int, hop_length: int) -> str | None:
    return "there is no GPU"
