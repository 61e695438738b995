"""The verifiers at work: importing this puts them into the compiler, after every pass."""

from adcompiler.analysis.verify_states import StateVerifier
from adcompiler.api import pipeline
from adcompiler.ir.verify import verify
from adcompiler.passes import optimise, saving

STATES = StateVerifier()


def checked(run):
    """A pass of the optimiser, after which the states of memory are verified."""

    def run_and_check(function):
        run(function)
        STATES.check(function)

    return run_and_check


saving.PLACED.append(STATES.placed)
optimise.PASSES[:] = map(checked, optimise.PASSES)
pipeline.CHECKS.append(lambda function: verify(pipeline.packed(function)))
pipeline.CHECKS.append(STATES.check)
