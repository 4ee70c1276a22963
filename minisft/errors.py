"""The one family of errors a user can meet: what is wrong, where, and what to do, in one line."""


class MinisftError(Exception):
    """A mistake in what was given: a file, a line of data, a tensor, a flag. The command line prints it and exits 2."""
