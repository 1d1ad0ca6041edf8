"""What can be seen of a run without training it again: checks, looks, and the causes that they speak for."""
