"""Data sets, of which there are none here."""

from ._missing import missing

__getattr__ = missing(
    "torchaudio.datasets",
    (
        "CMUARCTIC",
        "CMUDict",
        "COMMONVOICE",
        "DR_VCTK",
        "FluentSpeechCommands",
        "GTZAN",
        "IEMOCAP",
        "LIBRISPEECH",
        "LIBRITTS",
        "LJSPEECH",
        "LibriLightLimited",
        "LibriMix",
        "LibriSpeechBiasing",
        "MUSDB_HQ",
        "QUESST14",
        "SPEECHCOMMANDS",
        "Snips",
        "TEDLIUM",
        "VCTK_092",
        "VoxCeleb1Identification",
        "VoxCeleb1Verification",
        "YESNO",
    ),
    "Hugging Face's datasets has most of them",
)
