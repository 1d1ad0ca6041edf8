"""Finders: good settings to start with, by short runs over several seeds, each with its uncertainty (lecture 003)."""

from chainrule.finders.batch_size import BatchSizes, find_batch_size
from chainrule.finders.l2 import L2Range, find_l2
from chainrule.finders.lr import LrRange, find_lr

__all__ = ["BatchSizes", "L2Range", "LrRange", "find_batch_size", "find_l2", "find_lr"]
