"""Calls: a document of instructions, read and done, and what people do with their phones meanwhile."""
