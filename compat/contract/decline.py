"""How planning says no."""

from __future__ import annotations


class Decline(Exception):
    """The reference has to serve a call: raised anywhere in planning with the reason, and caught at the door."""
