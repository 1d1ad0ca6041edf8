"""The computational graph of an expression: its values and gradients as text, as a picture, for Graphviz."""
