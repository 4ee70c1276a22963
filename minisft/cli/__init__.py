"""The command line: main.py is the way in, and every command has a file in commands/."""
