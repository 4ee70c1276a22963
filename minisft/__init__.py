"""minisft: supervised fine-tuning of a language model, from scratch in NumPy, every gradient derived by hand."""

from minisft.errors import MinisftError

__all__ = ["MinisftError"]
__version__ = "0.1.0"
