"""matplotlib, imported whatever MPLBACKEND says: pictures need no backend, and no window is opened.

Another environment, such as a notebook's, may have set the variable to a backend that this one does not have. Then
matplotlib cannot be imported at all.
"""

import os
import sys
from contextlib import suppress

NAME = "MPLBACKEND"

if "matplotlib" not in sys.modules:
    wanted = os.environ.pop(NAME, None)
    import matplotlib

    if wanted is not None:
        os.environ[NAME] = wanted
    if wanted:
        with suppress(ValueError):  # for those who use pyplot afterwards
            matplotlib.rcParams["backend"] = wanted
