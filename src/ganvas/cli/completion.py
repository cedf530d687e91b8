"""`ganvas completion`: what makes a shell complete commands, recipes and flags with the Tab key.

The flags are read from each command's own help, which loads no PyTorch. So a script knows the flags that all recipes
share, and a completion starts no process.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Callable

from ganvas import recipes
from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError, near_miss
from ganvas.text import quoted

EXAMPLES = """examples:
  ganvas completion bash >> ~/.bashrc
  ganvas completion zsh > ~/.zfunc/_ganvas               where ~/.zfunc is in $fpath
  ganvas completion fish > ~/.config/fish/completions/ganvas.fish"""

OF_RECIPES = ("train", "recipes", "check")
"""Commands whose first word is a recipe."""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas completion",
        usage="ganvas completion bash|zsh|fish",
        description="Prints what makes a shell complete commands, recipes and flags. Printed again it knows new flags.",
        epilog=EXAMPLES,
    )
    parser.add_argument("shell", metavar="SHELL", nargs="?", help="bash, zsh or fish")
    parsed = parser.parse_strictly(words)
    if parsed.shell is None:
        raise UsageError("say for which shell, as in: ganvas completion bash")
    if parsed.shell not in _SHELLS:
        raise UsageError(f"there is no completion for {quoted(parsed.shell)}{near_miss(parsed.shell, _SHELLS)}")
    from ganvas.cli import COMMANDS

    print(_SHELLS[parsed.shell](COMMANDS, {name: flags_of(name) for name in COMMANDS}), end="")
    return 0


def flags_of(name: str) -> list[str]:
    """The long flags of a command, as its help has them."""
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        importlib.import_module(f"ganvas.cli.{name}").run(["--help"])
    lines = re.findall(r"^ {2}(-\S.*?)(?: {2}|$)", told.getvalue(), re.MULTILINE)
    return sorted({flag for line in lines for flag in re.findall(r"--[a-z][a-z0-9-]*", line)})


def _bash(commands: dict[str, str], flags: dict[str, list[str]]) -> str:
    cases = "".join(f'      {name}) words="{" ".join(found)}" ;;\n' for name, found in flags.items())
    return f"""_ganvas() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{" ".join(commands)}"
  elif [[ "$word" == -* ]]; then
    case "${{COMP_WORDS[1]}}" in
{cases}    esac
  elif [ "$COMP_CWORD" -eq 2 ]; then
    case "${{COMP_WORDS[1]}}" in
      {"|".join(OF_RECIPES)}) words="{" ".join(recipes.names())}" ;;
      completion) words="{" ".join(_SHELLS)}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _ganvas ganvas
"""


def _zsh(commands: dict[str, str], flags: dict[str, list[str]]) -> str:
    told = "".join(f"      {_in_quotes(f'{name}:{summary}')}\n" for name, summary in commands.items())
    cases = "".join(f"      {name}) compadd -- {' '.join(found)} ;;\n" for name, found in flags.items())
    return f"""#compdef ganvas
_ganvas() {{
  local -a commands
  if (( CURRENT == 2 )); then
    commands=(
{told}    )
    _describe command commands
  elif [[ "$words[CURRENT]" == -* ]]; then
    case "$words[2]" in
{cases}    esac
  else
    if (( CURRENT == 3 )); then
      case "$words[2]" in
        {"|".join(OF_RECIPES)}) compadd -- {" ".join(recipes.names())} ;;
        completion) compadd -- {" ".join(_SHELLS)} ;;
      esac
    fi
    _files
  fi
}}
if [[ "$funcstack[1]" == _ganvas ]]; then _ganvas "$@"; else compdef _ganvas ganvas; fi
"""


def _fish(commands: dict[str, str], flags: dict[str, list[str]]) -> str:
    lines = [
        f"complete -c ganvas -n __fish_use_subcommand -f -a {name} -d {_in_quotes(summary)}"
        for name, summary in commands.items()
    ]
    for name, found in flags.items():
        lines += [f"complete -c ganvas -n '__fish_seen_subcommand_from {name}' -l {flag[2:]}" for flag in found]
    for name in OF_RECIPES:
        names = " ".join(recipes.names())
        lines.append(f"complete -c ganvas -n '__fish_seen_subcommand_from {name}' -a '{names}'")
    lines.append(f"complete -c ganvas -n '__fish_seen_subcommand_from completion' -f -a '{' '.join(_SHELLS)}'")
    return "\n".join(lines) + "\n"


def _in_quotes(text: str) -> str:
    return "'" + text.replace("'", "") + "'"


_SHELLS: dict[str, Callable[[dict[str, str], dict[str, list[str]]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
