"""How good a model is: its answers, class by class, beside simple rules, and the rows that it gets most wrong."""
