"""The command line: the way in is main.py, and every command has a file in commands/."""
