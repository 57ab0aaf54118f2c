"""The ONNX host: a card says what goes into a net and what comes out, and no net needs Python."""
