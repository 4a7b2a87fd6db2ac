"""The version, alone in a module so that everything may name it."""

VERSION = "0.1.0"
