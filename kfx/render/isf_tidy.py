"""Makes GLSL that was written for other hosts and older compilers fit for a modern one.

All is done token by token, outside comments, and no line changes its number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from kfx.render import isf_builtins

# Words that a modern compiler keeps for itself and that old shaders use as names. Some of them
# are qualifiers too: the pattern after the word tells when they are.
_QUALIFIES = r"(?=\s+(?:in|out|varying|flat|centroid|uniform|float|[iu]?vec[234]|mat[234])\b)"
_QUALIFIERS = ("smooth", "flat", "noperspective", "sample", "patch", "precise", "shared")
_RESERVED = frozenset(
    "active asm atomic_uint buffer cast class coherent common enum extern external filter fixed "
    "fvec2 fvec3 fvec4 goto half hvec2 hvec3 hvec4 input interface long namespace "
    "output partition precision public readonly resource restrict short sizeof static subroutine "
    "superp template this typedef union unsigned using volatile writeonly".split()
) | frozenset(_QUALIFIERS)
_SCAN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<directive>(?:^|(?<=\*/))[ \t]*\#(?:[^\n\\]|\\\n|\\)*)"
    r"|(?P<word>\b[A-Za-z_]\w*)",
    re.S | re.M,
)
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_IS_QUALIFIER = re.compile(
    rf"(?:{'|'.join(_QUALIFIERS)}){_QUALIFIES}|precision(?=\s+(?:lowp|mediump|highp)\b)"
)
_CALL = re.compile(r"\w+\s*\(")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.S)
_DECLARATION = re.compile(
    r"(?:\blayout\s{0,9}\([^)]{0,99}\)\s{0,9})?\b(?P<kind>uniform|varying|attribute|in|out)\s+"
    r"(?:(?:lowp|mediump|highp|flat|smooth)\s+)?(?P<type>\w+)\s+"
    r"(?P<names>\w[^;(){}=]{0,999});"  # bounded: a file without semicolons must not take for ever
)
_EXTENSION = re.compile(r"\s*#\s*extension\s+(\w+)")
_MACRO = re.compile(r"\s*#\s*define\s+(\w+)")
_DROPPED = re.compile(r"\s*#\s*(?:version|extension)\b")
_INCLUDE = re.compile(r"#\s*(?:include|import)\b\s*(.*)")
_FRAG_COLOR = re.compile(r"\b(?:float|[iu]?vec[234]|define)\s+fragColor\b")
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")
_CONTINUED = re.compile(r"\\[ \t]+(?=\n)")
_USELESS = ("GL_OES_", "GL_EXT_", "GL_NV_", "GL_ARB_texture_rectangle", "GL_ARB_shader_texture_lod")


class Unsupported(ValueError):
    """Something no compiler would explain well; `line` counts from the body's first one."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def plain(text: str) -> str:
    """The text without what copying from a web page brings: blanks that are no spaces, and
    blanks after a line's last backslash."""
    return _CONTINUED.sub(r"\\", _BLANK.sub(" ", text))


def name(word: str) -> str:
    """What an input called `word` is called in the GLSL that is compiled."""
    return f"kfx_id_{word}" if word in _RESERVED or word in isf_builtins.NAMES else word


def tidy(
    text: str,
    declared: Collection[str],
    macros: Collection[str],
    *,
    output: str = "",
    first_line: int = 1,
) -> tuple[str, tuple[str, ...]]:
    """The text as it can be compiled behind a head, and the extensions it wants.

    `declared` are the names that the head declares and `macros` those it defines: the author's
    own declarations of them go. An output colour that he declares becomes `output`. Raises
    `Unsupported`.
    """
    text = plain(text)
    renamed = _own_output(text, output) if output else {}
    if "switch" not in (used := words(text)) and "case" in used:
        renamed["case"] = "kfx_id_case"  # GLSL 1.20 had no such word
    text = _without_declarations(text, {*declared, *renamed})
    known = isf_builtins.NAMES.intersection(declared)  # inputs named as GLSL's own functions
    own = (isf_builtins.functions(blank(text)).keys() & set(declared)) - known
    extensions: list[str] = []
    defined: set[str] = set()

    def mend(found: re.Match[str]) -> str:
        if found["comment"]:
            return found[0].replace("#include", "# include")  # moderngl reads comments too
        if found["directive"] is None:
            return identifier(found[0], text, found.start())
        return directive(found)

    def identifier(word: str, within: str, start: int) -> str:
        if word in _RESERVED:
            qualifies = _IS_QUALIFIER.match(within, start)
            return word if qualifies else name(word)
        if word in known or word in own:  # a variable of that name hides the function
            calls = _CALL.match(within, start)
            return (word if calls else name(word)) if word in known else word + "_kfx" * bool(calls)
        return renamed.get(word) or word

    def directive(found: re.Match[str]) -> str:
        line = found[0]
        if include := _INCLUDE.search(line):
            number = text[: found.start()].count("\n")
            raise Unsupported(number, f"#include {include[1]} can't be read; paste that file here")
        wanted = _EXTENSION.match(line)
        if wanted and not wanted[1].startswith(_USELESS):
            extensions.append(wanted[1])
        macro = _MACRO.match(line)
        if _DROPPED.match(line) or (macro and macro[1] in macros):
            return "\n" * line.count("\n")
        line = _WORD.sub(lambda word: identifier(word[0], word.string, word.start()), line)
        if macro and macro[1] in defined:  # old compilers let the last one win
            number = first_line + text[: found.start()].count("\n")
            line = f"#undef {name(macro[1])}\n#line {number}\n{line}"
        defined.update([macro[1]] if macro else [])
        return line

    return _SCAN.sub(mend, text), tuple(dict.fromkeys(extensions))


def blank(text: str) -> str:
    """`text` with its comments as spaces: every other character stays where it was."""
    return _COMMENT.sub(_spaces, text)


def words(text: str) -> frozenset[str]:
    """Every identifier outside comments."""
    return frozenset(_WORD.findall(blank(text)))


def _spaces(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _without_declarations(text: str, declared: Collection[str]) -> str:
    plain = blank(text)
    cuts: list[tuple[int, int, str]] = []
    for found in _DECLARATION.finditer(plain):
        names = [one.strip() for one in found["names"].split(",")]
        kept = [one for one in names if not _is_known(one, declared)]
        if len(kept) < len(names):
            left = f"{found['kind']} {found['type']} {', '.join(kept)};" if kept else ""
            lines = "\n" * found[0].count("\n")
            cuts.append((found.start(), found.end(), left + lines))
    return _cut(text, cuts)


def _is_known(declarator: str, declared: Collection[str]) -> bool:
    word = declarator.split("[")[0].strip()
    return word in declared or bool(re.fullmatch(r"_\w+_(?:imgRect|imgSize|flip)", word))


def _own_output(text: str, output: str) -> dict[str, str]:
    """The name that the author, or a host that calls it fragColor, gave to the output colour."""
    plain = blank(text)
    if "gl_FragColor" in plain:
        return {}
    if "fragColor" in words(text) and not _FRAG_COLOR.search(plain):
        return {"fragColor": output}
    outs = [d for d in _DECLARATION.finditer(plain) if d["kind"] == "out" and d["type"] == "vec4"]
    return {outs[0]["names"].strip(): output} if len(outs) == 1 else {}


def _cut(text: str, cuts: Iterable[tuple[int, int, str]]) -> str:
    for start, end, left in sorted(cuts, reverse=True):
        text = text[:start] + left + text[end:]
    return text
