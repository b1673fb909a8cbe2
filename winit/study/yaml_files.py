"""Read and write YAML: one reader for studies, settings and claims, and the writer of frozen studies.

Plain scalars are read as Hydra reads them: `1e-3` is a number, `2026-01-01` is text. A repeated key in a mapping is an
error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

_TEXT, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_FLOAT, _DATE = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"
# Floats as in OmegaConf: unlike in PyYAML, the decimal point and the sign of the exponent are optional.
_NUMBER = re.compile(
    r"""^(?:
     [-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
    |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is repeated", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(_FLOAT, _NUMBER, list("-+0123456789."))
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Quotes text that this module's reader or PyYAML's reader would read as another type."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_implicit_resolver(_FLOAT, _NUMBER, list("-+0123456789."))


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only the double-quoted style can write all line breaks as escapes, which readers do not fold or normalize.
    return dumper.represent_scalar(_TEXT, text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _represent_text)


def parse(text: str, text_keys: Collection[str] = ()) -> object:
    """Return the content of a YAML document.

    Args:
        text: the document.
        text_keys: dotted keys, such as `name` or `data.dir`, whose plain values are kept as
            text: `name: 2024_01` is not a number. `null` stays null.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        for key in text_keys:
            _read_as_text(node, key.split("."))
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _read_as_text(node: yaml.Node, path: Sequence[str]) -> None:
    """Tag the scalar at a path as text, unless it is null."""
    if not path:
        if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
            node.tag = _TEXT
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == path[0]:
                _read_as_text(value, path[1:])


def read_text(path: Path) -> str:
    """Return the text of a YAML file.

    Raises:
        ValueError: the file cannot be read or is not UTF-8; one sentence names it.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {shortened(path)}: {(error.strerror or 'it is not a file').lower()}") from None
    except ValueError as error:  # not UTF-8, or a path with a null byte
        reason = f"byte {error.start} is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ValueError(f"cannot read {shortened(path)} as YAML: {reason}") from None


def read(path: Path, text_keys: Collection[str] = ()) -> object:
    """Return the content of a YAML file; see `parse`.

    Raises:
        ValueError: the file cannot be read or is not YAML in UTF-8; one sentence names it.
    """
    text = read_text(path)
    try:
        return parse(text, text_keys)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a number too large for Python
        raise ValueError(f"cannot read {shortened(path)} as YAML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())


def shortened(path: object, limit: int = 100) -> str:
    """Return a path for error messages, without the middle part of a long path."""
    text = str(path).encode(errors="backslashreplace").decode().replace("\n", "\\n")
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def number(text: str) -> int | float | None:
    """Return the number that a plain scalar represents, or None."""
    try:
        value = parse(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def dump(tree: object) -> str:
    """Return a tree as YAML in block style. PyYAML and this module read the same tree from it."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def dump_line(tree: object) -> str:
    """Return a tree as one line of YAML in ASCII, for a command line.

    JSON does not work here: YAML readers read its escapes of characters beyond the Basic Multilingual Plane as two
    surrogates.
    """
    text = yaml.dump(tree, Dumper=_Dumper, default_flow_style=True, allow_unicode=False, width=math.inf)
    return text.strip()
