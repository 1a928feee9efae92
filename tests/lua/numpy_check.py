"""NumPy's side of test_files.lua: numpy_check.py FOLDER.

Reads what Swale wrote (a-<dtype>.npy, a.csv), checks the values, and writes arrays of every kind
that Swale reads, in both orders and all versions.
"""
import sys

import numpy as np


def expected(dtype):
    return np.arange(24).reshape(2, 3, 4).astype(dtype)


def main(folder):
    for name in ("float32", "float64", "int32", "uint8"):
        a = np.load(f"{folder}/a-{name}.npy")
        assert a.dtype == name and np.array_equal(a, expected(name)), name
    table = np.loadtxt(f"{folder}/a.csv", delimiter=",", skiprows=1)
    assert np.array_equal(table.astype("f4"), np.array([[0.1, 1e-30], [-3, np.inf]], "f4"))
    for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
        for order in "CF":
            for version in ((1, 0), (2, 0), (3, 0)):
                endian = "><"[version[0] % 2]
                a = np.asarray(expected(kind), order=order, dtype=endian + kind)
                with open(f"{folder}/{kind}{order}{version[0]}.npy", "wb") as f:
                    np.lib.format.write_array(f, a, version=version)
    np.savetxt(f"{folder}/b.csv", np.array([[0.1, 2], [1e-300, -4]]), delimiter=",")


main(sys.argv[1])
