"""The native backend: an optimised `Function` becomes scalar loops that Numba compiles.

The loops are a `Function` of the same IR, in which each array is memory and each read and write is
of one element.  So the emitter that prints NumPy code prints them too, with the user's names and
comments, and the interpreter of the IR runs them.

    lower        the walk: IR with array operations in, IR with loops out
    memory       births, loads, views and stores
    joins        branches and loops of the program, and names that may be unbound
    index        index expressions: what an array holds at an index, without an array
    paths        what stands between brackets, as an index expression
    arrays       elementwise operations and the creation of arrays
    shapes       views, other shapes, and what is joined of several arrays
    sums         reductions and products
    lists        lists that are read as a whole
    numbers      scalar operations, with Python's and NumPy's own edge behaviour
    tables       which function of single elements is which
    loops        writing loops and scalar statements
    layout       the types of what stands in loops
    elements     small scalar functions that the loops call
    kinds        which results are numbers of NumPy's, and which of Python's
    printing     text that Numba reads as Python does
    jit          the text becomes a file, the file machine code; calls to which loops do not apply
    unsupported  what has no loop form, by name

What has no loop form raises `Unsupported`, with the operation and its line.
"""
