"""The loss of recurrent neural network transducers."""

from torch import Tensor


def rnnt_loss(
    logits: Tensor,
    targets: Tensor,
    logit_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = -1,
    clamp: float = -1,
    reduction: str = "mean",
    fused_log_softmax: bool = True,
) -> Tensor:
    """What takes torchaudio's extension, or a loss of another library.

    Raises:
        ValueError: an unknown ``reduction``.
        NotImplementedError: otherwise.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got '{reduction}'")
    raise NotImplementedError(
        "the loss of transducers is not among torchaudio's functions that work without torchaudio: "
        "install torchaudio with the torch that it was built for, or take k2's or warp-transducer's loss"
    )
