"""minisft beside PyTorch on the CPU: `python -m benchmarks` (extra `parity`). How it measures: __main__.py."""
