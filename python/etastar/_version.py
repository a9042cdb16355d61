# The version of CMakeLists.txt.
__version__ = "1.0.0"
