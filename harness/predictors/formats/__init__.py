"""Models that come as a graph in a file (TorchScript, ONNX) or in safetensors; how formats are told apart."""
