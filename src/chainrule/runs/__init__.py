"""The folder of a run: every file of it, its name, its format, how it is written and read."""
