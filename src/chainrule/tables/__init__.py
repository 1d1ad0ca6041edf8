"""Tables: files and data frames, what their columns are, and how they become the numbers that a network takes."""
