"""For the reference: paragraphs of docstrings that are Python or a command line are shown as code."""

import ast
import textwrap
from typing import Any

import griffe

COMMANDS = ("dist-vad ", "python ", "accelerate launch ", "srun ")
CODE = (ast.Assign, ast.AnnAssign, ast.For, ast.With, ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)


def as_code(paragraph: str) -> str:
    """The paragraph, fenced where it is code; sections such as `Args:` and tables stay as they are."""
    text = textwrap.dedent(paragraph)
    if text.startswith(COMMANDS):
        return f"```\n{text.strip()}\n```"
    try:
        statements = ast.parse(text).body
    except SyntaxError:
        return paragraph
    is_code = any(isinstance(statement, CODE) for statement in statements)
    return f"```python\n{text.strip()}\n```" if is_code else paragraph


class Examples(griffe.Extension):
    """Fences the examples in every docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = "\n\n".join(as_code(part) for part in obj.docstring.value.split("\n\n"))
