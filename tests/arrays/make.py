"""How the files of this folder were made: by NumPy 2 and safetensors themselves.  Run here; test_compiler_arrays.c knows the values."""
import numpy as np
from safetensors.numpy import save_file

kinds = {
    "f8": np.array([[1.5, -2.25, 0.1], [np.inf, -np.inf, np.nan]]),
    "f4_big": np.array([1.5, -0.1], dtype=">f4"),
    "f2": np.array([1.0, -2.5, 65504, 6e-8, np.inf], dtype="f2"),
    "i1": np.array([-128, 127], dtype="i1"),
    "i2_big": np.array([-2, 300], dtype=">i2"),
    "i8": np.array([-9223372036854775808, 9223372036854775807]),
    "u4": np.array([4294967295, 0], dtype="u4"),
    "u8": np.array([9223372036854775807], dtype="u8"),
    "b": np.array([True, False, True]),
    "text": np.array([["pear", "äpfel"], ["", "pear"]]),
    "bytes": np.array([b"yes", b"no"]),
    "scalar": np.array(7.0),
    "none": np.zeros((0, 3)),
    "fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
}
np.save("weights.npy", kinds["fortran"])
np.savez("stored.npz", **kinds)
np.savez_compressed("deflated.npz", long=np.arange(20000) % 7, **kinds)
save_file({"w": np.arange(6, dtype="f4").reshape(2, 3), "k": np.array([3, -4], dtype="i2"), "on": np.array([True, False]),
           "h": np.array([0.5], dtype="f2")}, "tensors.safetensors", metadata={"format": "np"})
