"""A small model by onnxruntime's CUDA provider, against the same model on its CPU provider.

Tolerance: two layers in fp32, TF32 off.
"""

import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper

TOLERANCE = 1e-4

generator = numpy.random.default_rng(0)
weight = (generator.standard_normal((16, 3, 3, 3)) / 5).astype(numpy.float32)
dense = (generator.standard_normal((16, 10)) / 4).astype(numpy.float32)
nodes = [
    helper.make_node("Conv", ["image", "weight"], ["features"], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["features"], ["active"]),
    helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
    helper.make_node("Flatten", ["pooled"], ["flat"]),
    helper.make_node("MatMul", ["flat", "dense"], ["scores"]),
]
graph = helper.make_graph(
    nodes,
    "check",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, [4, 3, 64, 64])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [4, 10])],
    [onnx.numpy_helper.from_array(weight, "weight"), onnx.numpy_helper.from_array(dense, "dense")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
image = generator.standard_normal((4, 3, 64, 64)).astype(numpy.float32)


def run(provider):
    # Otherwise a provider that cannot be loaded is replaced by the CPU's without an error.
    session = onnxruntime.InferenceSession(model, providers=[provider])
    session.disable_fallback()
    name = provider if isinstance(provider, str) else provider[0]
    assert session.get_providers()[0] == name, f"{name} was not loaded: {session.get_providers()}"
    session.run(None, {"image": image})
    start = time.perf_counter()
    scores = session.run(None, {"image": image})[0]
    return scores, time.perf_counter() - start


print(f"onnxruntime {onnxruntime.__version__}, {onnxruntime.get_device()}, {onnxruntime.get_available_providers()}")
expected, seconds_cpu = run("CPUExecutionProvider")
found, seconds_gpu = run(("CUDAExecutionProvider", {"use_tf32": "0"}))
error = abs(found - expected).max() / abs(expected).max()
print(f"{seconds_cpu * 1e3:.2f} ms on the CPU, {seconds_gpu * 1e3:.2f} ms on the GPU")
print(f"relative difference {error:.1e} (at most {TOLERANCE:.0e})")
assert error <= TOLERANCE
