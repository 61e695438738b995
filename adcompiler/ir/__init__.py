"""The intermediate representation: its nodes and types, and the way from source to it."""
