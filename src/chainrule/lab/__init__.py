"""The lab: each question of the lectures as one page with a picture that moves, computed by chainrule.

``chainrule lab`` lists the pages, ``chainrule lab descent --out descent.html`` writes one: a file that needs no server
and no network.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

#: What each page answers.
QUESTIONS = {
    "descent": "What does the learning rate do?",
    "optimizers": "Which optimizer takes which way?",
    "anatomy": "What does an optimizer make of a gradient?",
    "backprop": "Where does each gradient come from?",
    "activations": "What does an activation function pass on?",
    "initialization": "Why does it matter how the weights start?",
    "slow": "Why does a neuron that is very wrong learn slowly?",
    "perceptron": "How does a perceptron learn, and when does it stop?",
    "gates": "What can one neuron decide, and what needs a hidden layer?",
    "boundary": "What does a network answer where, and what do its hidden units see?",
    "capacity": "How many weights does a model need?",
    "regularize": "What helps against overfitting?",
    "normalize": "What does batch normalization make possible?",
    "landscape": "How rough is the way to a minimum?",
}
