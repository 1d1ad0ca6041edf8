"""What the views show, as pure functions of what a run recorded: arrays, or why there are none.

Layers are looked at in training mode without dropout, as by `chainrule.Model.backprop`, unless a function says
otherwise.
"""
