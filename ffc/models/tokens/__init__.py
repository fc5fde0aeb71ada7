"""Sampling tokens from any network: its triangular system, the choice of a token, and drafts.

Knows no network: `ffc.models.transformer` is one.
"""

from ffc.models.tokens.choice import Choice
from ffc.models.tokens.drafts import Cheap, KeptOrGuessed
from ffc.models.tokens.system import TokenSampling

__all__ = ["Cheap", "Choice", "KeptOrGuessed", "TokenSampling"]
