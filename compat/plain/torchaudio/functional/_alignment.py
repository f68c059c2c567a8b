"""Alignment of tokens and frames: Viterbi's algorithm over paths of connectionist temporal classification (CTC)."""

from dataclasses import dataclass

import torch
from torch import Tensor


def forced_align(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    blank: int = 0,
) -> tuple[Tensor, Tensor]:
    """The likeliest path ``[1, T]`` of tokens and blanks that reads ``targets``, and its log probabilities ``[1, T]``.

    Graves et al., Connectionist temporal classification, 2006.

    Args:
        log_probs: ``[1, T, classes]``, one signal's.
        targets: ``[1, L]``, without blanks.
        input_lengths, target_lengths: Frames and tokens that count, ``[1]``; all by default.

    Raises:
        ValueError: a blank, or an unknown class, in ``targets``.
        RuntimeError: more than one signal, or fewer frames than the tokens need.
    """
    if blank in targets:
        raise ValueError(f"targets must not hold the blank {blank}, got {targets}")
    if torch.max(targets) >= log_probs.shape[-1]:
        raise ValueError(f"targets must be below {log_probs.shape[-1]}, the number of classes")
    if log_probs.dim() != 3 or targets.dim() != 2 or not log_probs.shape[0] == targets.shape[0] == 1:
        raise RuntimeError(f"one signal can be aligned at a time, got {log_probs.shape} and {targets.shape}")
    frames = int(input_lengths[0]) if input_lengths is not None else log_probs.shape[1]
    count = int(target_lengths[0]) if target_lengths is not None else targets.shape[1]
    if frames != log_probs.shape[1] or count != targets.shape[1]:
        raise RuntimeError("the lengths must be those of log_probs and targets")
    tokens = targets[0]
    repeats = int((tokens[1:] == tokens[:-1]).sum())
    if frames < count + repeats:
        raise RuntimeError(f"{frames} frames are too few for {count} tokens, of which {repeats} repeat the one before")
    # blanks around all tokens
    states = torch.full((2 * count + 1,), blank, dtype=torch.int64, device=log_probs.device)
    states[1::2] = tokens
    scores = log_probs[0].detach()[:, states]
    # a token may follow another one without a blank, unless it is the same
    skips = torch.zeros(len(states), dtype=torch.bool, device=log_probs.device)
    skips[3::2] = tokens[1:] != tokens[:-1]
    best = torch.full_like(scores[0], -torch.inf)
    best[:2] = scores[0, :2]
    steps = []
    for t in range(1, frames):
        once, twice = (torch.nn.functional.pad(best, (k, 0), value=-torch.inf)[: len(best)] for k in (1, 2))
        ways = torch.stack([best, once, twice.masked_fill(~skips, -torch.inf)])
        best, step = ways.max(0)
        best = best + scores[t]
        steps.append(step)
    state = len(states) - 1 if best[-1] > best[-2] else len(states) - 2
    path = [state]
    for step in reversed(steps):
        path.append(path[-1] - int(step[path[-1]]))
    path.reverse()
    aligned = states[path][None].to(targets.dtype)
    return aligned, log_probs[:, torch.arange(frames), aligned[0].long()]


@dataclass
class TokenSpan:
    """A token of an alignment."""

    token: int
    start: int
    """Its first frame."""
    end: int
    """The frame after its last."""
    score: float
    """Mean of its frames' scores."""

    def __len__(self) -> int:
        return self.end - self.start


def merge_tokens(tokens: Tensor, scores: Tensor, blank: int = 0) -> list[TokenSpan]:
    """Spans of an alignment ``[T]`` without its blanks.

    Raises:
        ValueError: tokens or scores of other dimensions, or of different lengths.
    """
    if tokens.ndim != 1 or scores.ndim != 1:
        raise ValueError(f"tokens and scores must have one dimension, got {tokens.ndim} and {scores.ndim}")
    if len(tokens) != len(scores):
        raise ValueError(f"tokens and scores must be of one length, got {len(tokens)} and {len(scores)}")
    values, counts = torch.unique_consecutive(tokens, return_counts=True)
    ends = counts.cumsum(0).tolist()
    spans = zip(values.tolist(), [0, *ends[:-1]], ends, strict=True)
    return [TokenSpan(token, i, j, scores[i:j].mean().item()) for token, i, j in spans if token != blank]
