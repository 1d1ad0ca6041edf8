"""What people read: lines that a terminal cannot obey, numbers, tables of text, progress."""
