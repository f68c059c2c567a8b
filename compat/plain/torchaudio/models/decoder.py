"""Decoders, of which there are none here."""

from .._missing import missing

__getattr__ = missing(
    "torchaudio.models.decoder",
    (
        "CTCDecoder",
        "CTCDecoderLM",
        "CTCDecoderLMState",
        "CTCHypothesis",
        "CUCTCDecoder",
        "CUCTCHypothesis",
        "ctc_decoder",
        "cuda_ctc_decoder",
        "download_pretrained_files",
    ),
    "flashlight-text and pyctcdecode have them",
)
