"""The table at the end of `pytest -m notebooks`: what every notebook takes."""

MEASURED = {}  # {notebook: what execute.py printed}


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("notebooks, with the exercises solved")
        for name, result in MEASURED.items():
            took = f"{result['seconds']:6.1f} s   {result['cpu_seconds']:6.1f} s CPU   {result['megabytes']:5d} MB"
            terminalreporter.line(f"{name:<36}{took}")
