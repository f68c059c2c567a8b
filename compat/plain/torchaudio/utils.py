"""Downloads, of which there are none here."""

from ._missing import missing

__getattr__ = missing(
    "torchaudio.utils",
    (
        "_download_asset",
        "download_asset",
    ),
    "torch.hub.download_url_to_file downloads files",
)
