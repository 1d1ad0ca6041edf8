"""Figures: data and their drawing as SVG, in one file that needs nothing else."""
