"""A YAML file that remembers its lines, so that every complaint can say where.

`${NAME}` and `${NAME:-default}` are expanded inside scalars after parsing, which keeps an
environment value from ever being read as YAML.
"""

import os
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError

VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class YamlFile:
    """One parsed file: `data` holds its values, `line` finds where one stands.

    Raises:
        ConfigError: When the file can't be read, isn't YAML, repeats a key, or names an
            environment variable that is not set.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(
                f"{path}: can't be read ({error.strerror}).",
                remedy="Pass the path of a configuration file with --config.",
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is not UTF-8 text.", remedy="Save it as UTF-8.") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error)
            raise ConfigError(
                f"{path}{line}: is not valid YAML: {problem}.", remedy="Mend that line."
            ) from error
        if not isinstance(root, yaml.MappingNode):
            kind = "empty" if root is None else "not a mapping of settings"
            raise ConfigError(f"{path}: is {kind}.", remedy="Name a source and tables in it.")
        self._root: yaml.Node = root
        self._open: list[yaml.Node] = []
        self.data = self._construct(self._root)

    def line(self, location: Sequence[Hashable]) -> int:
        """The line of the deepest part of `location` that the file holds."""
        node: yaml.Node = self._root
        for part in location:
            child = _child(node, part)
            if child is None:
                break
            node = child
        return int(node.start_mark.line) + 1

    def _construct(self, node: yaml.Node) -> Any:
        if any(node is outer for outer in self._open):
            raise self._error(node, "an anchor stands inside itself.", "Write it out.")
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node)
            if isinstance(node, yaml.SequenceNode):
                return [self._construct(item) for item in node.value]
            if "${" in node.value:
                return VARIABLE.sub(lambda match: self._variable(node, match), node.value)
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self._error(
                node, f"{node.value} can't be read.", "Quote it if it is text."
            ) from None
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a setting's name is a list or a map.", "Write a word.")
            if key.value in mapping:
                raise self._error(key, f"{key.value} is written twice.", "Keep one of them.")
            mapping[key.value] = self._construct(value)
        return mapping

    def _variable(self, node: yaml.Node, match: re.Match[str]) -> str:
        name, default = match.groups()
        value = os.environ.get(name) or default
        if value is None:
            raise self._error(
                node,
                f"the environment variable {name} is not set.",
                f"Set it, for example with export {name}=...",
            )
        return value

    def _error(self, node: yaml.Node, message: str, remedy: str) -> ConfigError:
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {message}", remedy=remedy)


def _child(node: yaml.Node, part: Hashable) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item: yaml.Node = node.value[part]
        return item
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None
