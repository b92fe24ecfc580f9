"""C++ literals, for cling and what is built on it.

Cling compiles every cell, so that the type of each value is spelled out, and texts, lists and maps
are those of the standard library.
"""

from __future__ import annotations

import errno
import re

from nbstamp.core.languages.base import CannotHold, Language, Meaning
from nbstamp.core.languages.layout import Group, Node, around, is_table, lay_out
from nbstamp.core.languages.names import Names
from nbstamp.core.languages.text import ESCAPES, lines, octal, quoted
from nbstamp.core.languages.types import ANY, Type, Types, exact_double
from nbstamp.core.parameters import Json

_TYPES = Types(integers=(("long long", 64),), longest_row=8, depth=3)

_WORDS = """
    alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor
    bool break case catch char char8_t char16_t char32_t class compl concept const consteval
    constexpr constinit const_cast continue contract_assert co_await co_return co_yield decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq
    private protected public reflexpr register reinterpret_cast requires return short signed sizeof
    static static_assert static_cast std struct switch synchronized template this thread_local throw
    true try typedef typeid typename typeof union unsigned using virtual void volatile wchar_t while
    xor xor_eq
    assert errno linux major makedev minor offsetof setjmp stderr stdin stdout unix va_arg va_copy
    va_end va_start
"""
"""Words of the language to C++23, and small macros of the headers."""

_MATHEMATICS = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2
    expm1 fabs fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn
    ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter
    nexttoward pow pow10 remainder remquo rint round roundeven scalb scalbln scalbn significand sin
    sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_LIBRARY = """
    abort abs access alarm aligned_alloc alloca asctime asprintf atexit atof atoi atol atoll bcmp
    bcopy bsearch btowc bzero calloc canonicalize chdir chown clearenv clearerr clock clone close
    confstr creat crypt ctermid ctime cuserid daylight difftime div dprintf drand48 dup dup2
    duplocale dysize ecvt environ erand48 execl execle execlp execv execve execvp exit
    fclose fcntl fcvt fdopen feof ferror fflush ffs ffsl ffsll fgetc fgetpos fgets fgetwc fgetws
    fileno flockfile fmemopen fopen fork fprintf fputc fputs fputwc fputws fread free freelocale
    freopen fromfp fscanf fseek fseeko fsetpos fsync ftell ftello ftruncate funlockfile fwide
    fwprintf fwrite fwscanf gcvt getc getchar getcpu getcwd getdate getdelim getegid getenv geteuid
    getgid getgroups gethostid gethostname getline getloadavg getlogin getopt getpagesize getpass
    getpgid getpgrp getpid getppid getpt getsid getsubopt getuid getw getwc getwchar gmtime grantpt
    index initstate ioctl isalnum isalpha isascii isatty isblank iscntrl isctype isdigit isgraph
    islower isprint ispunct isspace isupper iswalnum iswalpha iswblank iswcntrl iswctype iswdigit
    iswgraph iswlower iswprint iswpunct iswspace iswupper iswxdigit isxdigit jrand48 kill killpg
    l64a labs lchown lcong48 ldiv link llabs lldiv localeconv localtime lockf longjmp lrand48 lseek
    malloc mblen mbrlen mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc memccpy memchr memcmp memcpy
    memfrob memmem memmove mempcpy memrchr memset mkdtemp mkstemp mktemp mktime mrand48 nanosleep
    newlocale nice nrand48 on_exit open optarg opterr optind optopt pathconf pause pclose perror
    pipe popen pread printf profil pselect psignal ptsname putc putchar putenv puts putw putwc
    putwchar pwrite qecvt qfcvt qgcvt qsort quick_exit raise rand random rawmemchr read readlink
    realloc reallocarray realpath remove rename rewind rindex rmdir rpmatch sbrk scanf seed48 select
    setbuf setbuffer setegid setenv seteuid setgid sethostid setlinebuf setlocale setns setpgid
    setpgrp setregid setreuid setsid setstate setuid setvbuf sigaction signal signgam sigstack sleep
    snprintf sprintf srand srand48 srandom sscanf stpcpy stpncpy strcasecmp strcat strchr strcmp
    strcoll strcpy strcspn strdup strerror strfmon strfry strftime strlen strncasecmp strncat
    strncmp strncpy strndup strnlen strpbrk strptime strrchr strsep strsignal strspn strstr strtod
    strtof strtok strtol strtold strtoll strtoq strtoul strtoull strtouq strverscmp strxfrm swab
    swprintf swscanf symlink sync syscall sysconf system tempnam time timegm timelocal times
    timezone tmpfile tmpnam toascii tolower totalorder totalordermag toupper towctrans towlower
    towupper truncate ttyname tzname tzset ualarm umask ungetc ungetwc unlink unlockpt unsetenv
    unshare uselocale usleep utime valloc vasprintf vdprintf vfork vfprintf vfscanf vfwprintf
    vhangup vprintf vscanf vsnprintf vsprintf vsscanf vswprintf vwprintf wait waitpid wcpcpy
    wcpncpy wcrtomb wcscasecmp wcscat wcschr wcscmp wcscoll wcscpy wcscspn wcsdup wcsftime wcslen
    wcsncasecmp wcsncat wcsncmp wcsncpy wcsnlen wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod
    wcstof wcstok wcstol wcstold wcstoll wcstombs wcstoq wcstoul wcstoull wcstouq wcswcs wcswidth
    wcsxfrm wctob wctomb wctrans wctype wcwidth wmemchr wmemcmp wmemcpy wmemmove wmempcpy wmemset
    wprintf write wscanf
    explicit_bzero EDEADLK EHWPOISON EOPNOTSUPP EWOULDBLOCK a64l at_quick_exit
    canonicalize_file_name canonicalizef
    canonicalizel drand48_data fcloseall fd_mask fd_set fopencookie ftrylockfile getdate_err
    internal iscanonical iseqsig issignaling itimerspec iszero lconv llogb llogbf llogbl
    math_errhandling mbsnrtowcs mkostemp mkostemps mkstemps nextdown nextdownf nextdownl nextup
    nextupf nextupl obstack obstack_printf obstack_vprintf open_memstream open_wmemstream
    program_invocation_name program_invocation_short_name ptsname_r qsort_r random_data renameat
    renameat2 sched_param secure_getenv sigevent strfromd strfromf strfroml timespec timeval timex
    tm tmpnam_r totalorderf totalorderl totalordermagf totalordermagl va_list vfwscanf vswscanf
    vwscanf wcschrnul wcsnrtombs
"""
"""What the headers of the C library declare without a namespace."""

_MACROS = (
    r"(ADJ|CLOCK|CLONE|EXIT|FD|FP|HUGE|INT(MAX|PTR|_.+|\d+)?|LC|M|MATH|MB|MOD|P|PTHREAD|RAND|RENAME"
    r"|SCHED|SEEK|SIG|SIZE|STA|TIMER?|TMP|UINT(MAX|PTR|_.+|\d+)?|WCHAR|WINT)_[A-Z0-9_]+[a-z0-9]*"
    r"|S?NAN\w*|W[A-Z]{3,}|(BIG|LITTLE|PDP)_ENDIAN|BYTE_ORDER|BUFSIZ|CSIGNAL|EOF|FILE|FILENAME_MAX"
    r"|FOPEN_MAX|INFINITY|L_\w+|MAXFLOAT|NFDBITS|NULL|(CLOCKS|CPU|PTRDIFF)_\w+|P_tmpdir|WEOF"
)
_VARIANTS = (
    r"(asctime|ctime|drand48|ecvt|erand48|fcvt|getdate|gmtime|initstate|jrand48|lcong48|"
    r"|localtime|lrand48|mrand48|nrand48|qecvt|qfcvt|rand|random|seed48|setstate|srand48|srandom"
    r"|strerror|strtok)_r|lgamma\w*_r|is\w+_l|str\w+_l|to\w+_l|wc\w+_l|\w+_unlocked"
    r"|\w+f(32|64)x?|[df](add|sub|mul|div|fma|sqrt)l?|f(max|min)(imum)?_?mag\w*|f(max|min)imum\w*"
    r"|u?from\w*|(clock|timer|timespec|sched)_(adj|get|set|nano|create|delete|yield|rr)\w*"
    r"|(u_?)?(char|int|long|short)|u?_?int\w*_t|(blkcnt|blksize|caddr|clock|clockid|comparison_fn|cpu_set"
    r"|daddr|dev|div|double|error|float|fpos|fsblkcnt|fsfilcnt|fsid|gid|id|imaxdiv|ino|key|ldiv|lldiv"
    r"|locale|loff|max_align|mbstate|mode|nlink|nullptr|off|pid|ptrdiff|quad|register|sigset|size|ssize"
    r"|suseconds|time|timer|u_quad|uid|useconds|wctrans|wctype|wint)(64)?_t|cookie_\w+_t|[a-z]+64"
    r"|(get|set|total)payload\w*|setpayloadsig\w*|(pthread|posix|cling|xeus|xcpp)_\w+"
    r"|arc4random(_\w+)?"
)


class Cpp(Language):
    """C++17, as cling and xeus-cling speak it."""

    name = "cpp"
    title = "C++"
    aliases = ("c++", *(f"c++{year}" for year in ("11", "14", "17", "1z", "20", "2a", "23", "2b")))
    kernels = ("xcpp*", "cling*", "root")
    comment = "//"
    imports = (
        ("std::any", "#include <any>"),
        ("std::map", "#include <map>"),
        ("std::nullptr_t", "#include <cstddef>"),
        ("std::optional", "#include <optional>"),
        ("std::string", "#include <string>"),
        ("std::tuple", "#include <tuple>"),
        ("std::vector", "#include <vector>"),
    )

    names = Names(
        grammar=re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*_?").fullmatch,
        rule="a variable consists of the letters A to Z, digits and single underscores, and starts "
        "with a letter.",
        words=frozenset(
            [
                *_WORDS.split(),
                *(name + kind for name in _MATHEMATICS.split() for kind in ("", "f", "l")),
                *_LIBRARY.split(),
                *errno.errorcode.values(),
            ]
        ),
        steering=f"{_MACROS}|{_VARIANTS}",
    )
    meaning = Meaning(
        null="`nullptr`; among other values of a list or a map, each of them is a `std::optional`, "
        "and null is `std::nullopt`",
        boolean="`bool`",
        integer="`long long`; beyond 64 bits `double` where that is exact, else refused",
        number="`double`; integers among them become `double`, too",
        text="`std::string`",
        list="`std::vector`; of several types a `std::tuple`, with more than 8 items a "
        "`std::vector<std::any>`; rows of equal length are tuples whose columns have a type each",
        object="`std::map<std::string, …>`, in alphabetical order; of several types with "
        "`std::any`, which C++ has since 2017; more than some hundred entries are refused",
    )

    def assignment(self, name: str, value: Json) -> str:
        kind = _TYPES.of(value)
        if (made := _slow(value, kind)) > _SLOW:
            raise CannotHold(
                f"it holds {made:,} texts, lists and entries that its compiler makes one by one, "
                f"and more than {_SLOW} take it minutes. Rows of equal length, or lists of texts "
                "or of numbers, can be as long as they like."
            )
        return "\n".join(lay_out(f"{_named(kind)} {name} = ", _node(value, kind), ";"))

    def equivalent(self, value: Json) -> Json:
        return _TYPES.settled(value)


# --- Literals -----------------------------------------------------------------------------------

_NAMED = {
    "null": "std::nullptr_t",
    "boolean": "bool",
    "number": "double",
    "text": "std::string",
    "any": "std::any",
}


def _named(kind: Type) -> str:
    items = [_named(item) for item in kind.items] or ["std::any"]
    match kind.kind:
        case "list":
            name = f"std::vector<{items[0]}>"
        case "object":
            name = f"std::map<std::string, {items[0]}>"
        case "row":
            name = f"std::tuple<{', '.join(items)}>"
        case _:
            name = _NAMED.get(kind.kind, kind.kind)
    return f"std::optional<{name}>" if kind.optional else name


def _node(value: Json, kind: Type) -> Node:
    if kind == ANY:
        return _anything(value)
    if value is None:
        return "std::nullopt" if kind.optional else "nullptr"
    if isinstance(value, list | dict):
        # braces alone would be an empty optional
        return _braces(value, kind, _named(_bare(kind)) if kind.optional else "")
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return repr(exact_double(value)) if kind.kind == "number" else _integer(value)
    return repr(value)


def _bare(kind: Type) -> Type:
    return Type(kind.kind, kind.items)


def _anything(value: Json) -> Node:
    """``value`` with its type, for a ``std::any``."""
    kind = _TYPES.of(value)
    if isinstance(value, list | dict):
        return around("std::any(", _braces(value, kind, _named(kind)), ")")
    if isinstance(value, str):
        node = _string(value)
        explicit = isinstance(node, Group) or node.startswith("std::")
        return node if explicit else f"std::string({node})"
    if isinstance(value, int) and kind.kind == "long long":
        return f"{value}LL" if value != _LEAST else _integer(value)
    return _node(value, kind)


def _braces(value: list[Json] | dict[str, Json], kind: Type, name: str) -> Node:
    if isinstance(value, dict):
        pairs = [
            ("", around(f"{{{_key(key)}, ", _node(item, *kind.items), "}"))
            for key, item in value.items()
        ]
        return Group(f"{name}{{", pairs, "}")
    if len(value) >= _MANY and (array := _array(value, *kind.items)):
        return array
    kinds = kind.items if kind.kind == "row" else kind.items * len(value)
    items = [("", _node(item, one)) for item, one in zip(value, kinds, strict=True)]
    return Group(f"{name}{{", items, "}", breaks=is_table(value))


_MANY = 100
"""Items from which a list of anything but numbers is made from an array of constants: a compiler
takes its time for each temporary text or tuple, and none for a constant."""
_QUICK = {"boolean", "number", "long long"}
_SLOW = 600
"""Texts, lists and entries of maps that are made one by one: what a compiler does in seconds."""


def _slow(value: Json, kind: Type) -> int:
    """How many things are made one by one."""
    if kind == ANY:
        return 1 + _slow(value, _TYPES.of(value)) if isinstance(value, list | dict) else 1
    if isinstance(value, dict):
        return len(value) + sum(_slow(item, *kind.items) for item in value.values())
    if isinstance(value, list) and value:
        if kind.kind == "row":
            return sum(_slow(*pair) for pair in zip(value, kind.items, strict=True))
        if kind.items[0].kind in _QUICK:
            return 1
        if len(value) >= _MANY and _array(value, *kind.items):
            return 1
        return 1 + sum(_slow(item, *kind.items) for item in value)
    return 1


def _array(value: list[Json], kind: Type) -> Node | None:
    """A list made from an array of constants, or None when its items are not simple ones."""
    if kind.optional or _has_nul(value):
        return None
    columns = "abcdefgh"[: len(kind.items)]
    constants = [_constant(item) for item in kind.items] or [_constant(kind)]
    if "" in constants:
        return None
    size, made = "", "row"
    if kind.kind == "row":
        members = " ".join(f"{one} {name};" for one, name in zip(constants, columns, strict=True))
        constants = [f"struct {{ {members.replace('* ', '*')} }}"]
        made = ", ".join(f"row.{name}" for name in columns)
    elif isinstance(value[0], list):
        if not is_table(value):
            return None
        size, made = f"[{len(value[0])}]", "std::begin(row), std::end(row)"
    elif kind != Type("text"):
        return None
    rows = Group("{", [("", _simple(item, kind)) for item in value], "}", breaks=is_table(value))
    statements: list[tuple[str, Node]] = [
        (f"static const {constants[0]} rows[]{size} = ", rows),
        ("", f"std::vector<{_named(kind)}> all"),
        ("", f"for (const auto &row : rows) all.emplace_back({made})"),
        ("", "return all"),
    ]
    return Group("[] {", statements, "}()", separator=";", breaks=True)


def _constant(kind: Type) -> str:
    """The type that a constant of a simple type has, else nothing."""
    if kind.items or kind.kind in {"list", "object", "any"}:
        return ""
    return _named(kind).replace("std::string", "const char *")


def _simple(value: Json, kind: Type) -> Node:
    """A constant, with each text in one piece."""
    if isinstance(value, list):
        kinds = kind.items if kind.kind == "row" else kind.items * len(value)
        items = [("", _simple(item, one)) for item, one in zip(value, kinds, strict=True)]
        return Group("{", items, "}")
    return _literal(value) if isinstance(value, str) else _node(value, kind)


def _has_nul(value: Json) -> bool:
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\x00" in value


_LEAST = -(2**63)


def _integer(value: int) -> str:
    if value == _LEAST:  # the minus is no part of a literal
        return f"({value + 1}LL - 1)"
    return str(value) if abs(value) < 2**31 else f"{value}LL"


def _string(text: str) -> Node:
    if pieces := lines(text):
        # neighbouring texts are one text
        items: list[tuple[str, Node]] = [("", _literal(line)) for line in pieces[:-1]]
        size = f", {len(text.encode())}" if "\x00" in text else ""
        items.append(("", _literal(pieces[-1]) + size))
        return Group("std::string(", items, ")", separator="", breaks=True)
    return _key(text)


def _key(text: str) -> str:
    # a text with NUL needs its length
    size = len(text.encode())
    return f"std::string({_literal(text)}, {size})" if "\x00" in text else _literal(text)


def _literal(text: str) -> str:
    # two question marks begin a trigraph, which C++ had until 2017
    escapes = ESCAPES | {"?": "\\?"} if "??" in text else ESCAPES
    return quoted(text, '"', escapes, octal)
