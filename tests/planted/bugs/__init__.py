r"""Wrong lines that people really write, each as a patch of one line of minisft.

`old` stands in the file exactly once and becomes `new`. `known_from` says where the mistake was met: a thread on GitHub
(owner/repository#number), a file of another library, or the habit behind it. `tests` is the file of tests that is asked
first; without it, those of the room. run.py applies the patches one by one and asks who notices.
"""

from . import answers, attention, families, files, layers, loop, lora, normalisation, objective, optimiser, targets
from .bug import Bug

__all__ = ["BUGS", "Bug"]

FILES = (objective, targets, normalisation, layers, attention, families, optimiser, loop, lora, answers, files)
BUGS = [bug for file in FILES for bug in file.BUGS]
