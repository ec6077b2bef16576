"""Models that come as a graph (TorchScript, torch.export, ONNX) or in safetensors; how formats are told apart."""
