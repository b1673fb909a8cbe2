"""Compile emitted vector code for this machine, and cache it on disk."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache, wraps
from itertools import count
from pathlib import Path
from typing import NamedTuple, ParamSpec

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from winit.engine.kernel import code_cache
from winit.engine.kernel.emit import ARGUMENTS, I64, WIDEST, Emit, Value

Body = Callable[[Emit, list[Value]], None]  # emits a function's body, given an `Emit` and the function's arguments
P = ParamSpec("P")
_numbers = count()
_addresses: dict[str, int] = {}  # addresses of loaded functions, by the call that describes them

# SHA-256 of the engine's files at import, which determine the emitted code.
_FILES = sorted(Path(__file__).parents[1].rglob("*.py"))
SOURCES = hashlib.sha256(b"\0".join(file.read_bytes() for file in _FILES)).hexdigest()


class _Compiler(NamedTuple):
    """The compiler of this process for one width of vectors."""

    engine: llvm.ExecutionEngine
    machine: llvm.TargetMachine
    facts: dict[str, str]  # properties of processor and LLVM that determine the machine code


@cache
def _compiler(lanes: int) -> _Compiler:
    """Return the compiler for vectors with the given number of lanes; 8 lanes are compiled for a CPU without AVX-512."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    if lanes < WIDEST:
        features.update({name: False for name in features if name.startswith("avx512")})
    processor, flags = llvm.get_host_cpu_name(), features.flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=processor, features=flags, opt=3, jit=True)
    versions = f"llvmlite {llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}"
    facts = {"processor": processor, "features": flags, "triple": machine.triple, "compiler": versions}
    return _Compiler(llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine), machine, facts)


def optimized(machine: llvm.TargetMachine, lanes: int, body: Body, name: str) -> llvm.ModuleRef:
    """Return a function of ARGUMENTS addresses as LLVM's optimizer leaves it for a processor.

    Args:
        machine: the processor.
        lanes: float32 elements of a vector; LLVM splits those that are wider than the processor's.
        body: emits the function's body.
        name: of the function.
    """
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * ARGUMENTS), name)
    e = Emit(ir.IRBuilder(function.append_basic_block("entry")), lanes)
    body(e, list(function.args))
    e.b.ret_void()
    assembly = llvm.parse_assembly(str(module))
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(assembly, passes)
    return assembly


def _compile(lanes: int, body: Body, name: str) -> bytes:
    """Return the object code of a function."""
    machine = _compiler(lanes).machine
    return machine.emit_object(optimized(machine, lanes, body, name))


def _load(lanes: int, code: bytes, name: str) -> int:
    """Load object code, and return the address of its function."""
    engine = _compiler(lanes).engine
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine.get_function_address(name)


def compiled(lanes: int, body: Body) -> int:
    """Compile a function of ARGUMENTS addresses, and return its address, which is valid until the process ends.

    Args:
        lanes: float32 elements of a vector.
        body: emits the function's body.
    """
    name = f"unnamed{next(_numbers)}"
    return _load(lanes, _compile(lanes, body, name), name)


def kept(describe: Callable[P, Body]) -> Callable[P, int]:
    """Turn a function that returns a body into one that returns the address of its machine code.

    The code is compiled only once: a process loads cached code of earlier processes (`code_cache`) without emitting it.

    Args:
        describe: returns the body. Its arguments, including `lanes`, and the sources of the engine must determine the code. The
            arguments are numbers, text, or dataclasses of these, with a complete `repr`.
    """
    signature = inspect.signature(describe)

    def address(*args: P.args, **kwargs: P.kwargs) -> int:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        call = f"{describe.__module__}.{describe.__qualname__}({given.arguments})"
        assert " at 0x" not in call, f"an argument of {call} cannot be identified by its repr"
        if call not in _addresses:
            _addresses[call] = _kept_code(call, given.arguments["lanes"], lambda: describe(*args, **kwargs))
        return _addresses[call]

    return wraps(describe)(cache(address))  # type: ignore[return-value]


def _kept_code(call: str, lanes: int, describe: Callable[[], Body]) -> int:
    """Load the code of a function, compile it if it is not cached, and return its address."""
    facts = {"function": call, "sources": SOURCES, **_compiler(lanes).facts}
    name = f"kept_{hashlib.sha256(call.encode()).hexdigest()}"
    code = code_cache.read(facts)
    if code is None:
        code = _compile(lanes, describe(), name)
        code_cache.write(facts, code)
    return _load(lanes, code, name)
