#!/usr/bin/env python3
"""Writes a small real data set for `etastar sweep --trial training --data FILE`: x [P, n0] and y [P], in HDF5.

    apt-get install python3-sklearn
    jobs/training/real_data.py digits digits.h5

  digits         3 against 8 of the UCI handwritten digits (E. Alpaydin, C. Kaynak 1998; test part): 357 images of 8 x 8 pixels
  breast-cancer  UCI breast cancer, Wisconsin, diagnostic (W. Wolberg, O. Mangasarian, N. Street, W. Street 1995): benign against
                 malignant, 569 examples of 30 numbers

Both come with scikit-learn, whose Debian package is under the BSD licence, and are under CC BY 4.0 at the UCI Machine Learning
Repository. None of it is in this repository. Classes are y = -1 and 1. Features are centred, those of the second set are given
unit variance, and every example is scaled to |x|^2 = n0, for which the maximal-update rates are made (docs/science.md).
"""
import os
import sys

try:
    import h5py
    import numpy as np
    from sklearn import datasets
except ImportError as error:
    # The first python3 on PATH is not always the one that the system's packages are for.
    system = "/usr/bin/python3"
    if sys.executable != system and os.access(system, os.X_OK):
        os.execv(system, [system, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(f"real_data: {error}; needs python3-h5py, python3-numpy and python3-sklearn")


def digits():
    data = datasets.load_digits(n_class=10)
    chosen = np.isin(data.target, (3, 8))
    return data.data[chosen], np.where(data.target[chosen] == 3, 1.0, -1.0)


def breast_cancer():
    data = datasets.load_breast_cancer()
    return data.data / data.data.std(axis=0), np.where(data.target == 1, 1.0, -1.0)


SETS = {"digits": digits, "breast-cancer": breast_cancer}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SETS:
        sys.exit(f"usage: real_data.py {'|'.join(SETS)} FILE.h5")
    x, y = SETS[sys.argv[1]]()
    x = x - x.mean(axis=0)
    x *= np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
    with h5py.File(sys.argv[2], "w") as file:
        file["x"] = x
        file["y"] = y
    print(f"{sys.argv[2]}: {x.shape[0]} examples of {x.shape[1]} inputs, mean of y {y.mean():+.3f}")


if __name__ == "__main__":
    main()
