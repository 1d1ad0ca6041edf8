"""Data: reading, checking, splitting, standardizing, batching."""

from chainrule.data.batches import batch_order, batches
from chainrule.data.check import check_features, check_pair, check_target
from chainrule.data.dataset import Dataset
from chainrule.data.idx import read_idx, read_idx_folder
from chainrule.data.images import read_image_folder
from chainrule.data.npz import read_npz
from chainrule.data.prepared import PreparedInputs
from chainrule.data.sources import load
from chainrule.data.split import stratified_split
from chainrule.data.standardize import Standardizer
from chainrule.data.streams import Stream, stream
from chainrule.data.targets import Target, decode, encode_target

__all__ = [
    "Dataset",
    "PreparedInputs",
    "Standardizer",
    "Stream",
    "Target",
    "batch_order",
    "batches",
    "check_features",
    "check_pair",
    "check_target",
    "decode",
    "encode_target",
    "load",
    "read_idx",
    "read_idx_folder",
    "read_image_folder",
    "read_npz",
    "stratified_split",
    "stream",
]
