"""Trained models for other programs: ONNX files, and weights as PyTorch names and stores them.

Needs the packages onnx and onnxruntime (``pip install 'chainrule[all]'``), but for the weights.
"""

from chainrule.export.check import OnnxCheck, check_onnx, onnx_inputs
from chainrule.export.graph import Graph, Value, converts
from chainrule.export.model import to_onnx
from chainrule.export.pytorch import save_torch_weights, to_torch_state_dict

__all__ = [
    "Graph",
    "OnnxCheck",
    "Value",
    "check_onnx",
    "converts",
    "onnx_inputs",
    "save_torch_weights",
    "to_onnx",
    "to_torch_state_dict",
]
