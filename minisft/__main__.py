"""The front door: `python -m minisft` is the same as `minisft`."""

from minisft import parallel


def main() -> None:
    parallel.divide_cores()  # before anything imports NumPy
    from minisft.cli.main import main

    main()


if __name__ == "__main__":
    main()
