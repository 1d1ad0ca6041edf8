"""Checks of the data, before anything is trained: rows, targets, columns, and the parts of the split."""
