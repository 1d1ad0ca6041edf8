"""What a command does, as functions that return objects."""
