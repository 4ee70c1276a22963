"""python -m minisft is the same as minisft."""

from minisft.cli import main

main()
