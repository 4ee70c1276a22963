"""One command, one file: the docstring is its help, `add_flags` adds its flags to a parser, `run` does its work."""
