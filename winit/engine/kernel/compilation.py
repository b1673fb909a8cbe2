"""Compile emitted vector code for this machine."""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.binding as llvm
from llvmlite import ir

from winit.engine.kernel.emit import ARGUMENTS, I64, WIDEST, Emit, Value

_engines: dict[int, tuple[llvm.ExecutionEngine, llvm.TargetMachine]] = {}


def _engine(lanes: int) -> tuple[llvm.ExecutionEngine, llvm.TargetMachine]:
    """Return the process's compiler for vectors of so many lanes; 8 lanes are compiled as for a CPU without AVX-512."""
    if lanes not in _engines:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
        if lanes < WIDEST:
            features.update({name: False for name in features if name.startswith("avx512")})
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=3, jit=True
        )
        _engines[lanes] = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine), machine
    return _engines[lanes]


def compiled(lanes: int, emit: Callable[[Emit, list[Value]], None]) -> int:
    """Compile a function of ARGUMENTS addresses, and return its own address, valid as long as the process lives.

    Args:
        lanes: float32 elements of a vector.
        emit: emits the function's body, given an `Emit` and the arguments.
    """
    module = ir.Module()
    name = f"f{id(module)}_{len(_names)}"
    _names.append(name)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * ARGUMENTS), name)
    e = Emit(ir.IRBuilder(function.append_basic_block("entry")), lanes)
    emit(e, list(function.args))
    e.b.ret_void()
    engine, machine = _engine(lanes)
    assembly = llvm.parse_assembly(str(module))
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(assembly, passes)
    engine.add_module(assembly)
    engine.finalize_object()
    return engine.get_function_address(name)


_names: list[str] = []
