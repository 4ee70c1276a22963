"""What the notebooks need beside the library: checks of the exercises, one file a notebook, and what they show."""
