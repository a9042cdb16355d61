# The version of CMakeLists.txt.
__version__ = "0.1.0"
