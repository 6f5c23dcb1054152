"""The commands of `postlude`, one module a noun. They parse, call, and print; what they do lives elsewhere."""
