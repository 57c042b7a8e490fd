"""Random small templates for template_reference.py, from a grammar that leans to what chat templates do."""
import random

WORDS = ["", "a", "B c", " x ", "né\n", "it's", "</think>", "x,y", "12", "😀z", "\n", "<|im_end|>"]
NAMES = ["m", "x", "xs", "s", "d", "n", "k", "ns.a", "missing"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *options):
        return self.r.choice(options)

    def literal(self):
        return self.pick(lambda: str(self.r.randint(-3, 20)), lambda: repr(self.r.choice([0.5, 2.0, 1e20, -0.25])),
                         lambda: self.r.choice(["true", "false", "none"]), self.text, self.text)()

    def text(self):
        return '"' + self.r.choice(WORDS).replace("\n", "\\n") + '"'

    def expression(self, depth=3):
        """Mostly of a type that fits, sometimes of any."""
        if self.r.random() < 0.06:
            return self.wild(depth)
        return self.pick(self.string, self.string, self.number, self.truth, self.list)(depth)

    def string(self, depth=2):
        if depth <= 0:
            return self.pick(self.text, lambda: "s", lambda: "ms[0].role", lambda: "ms[-1]['content']", lambda: "d.role")()
        sub = lambda: self.string(depth - 1)
        return self.pick(
            self.text, lambda: "s", lambda: "m.content", lambda: "ms[1].content", lambda: "d['role']",
            lambda: f"({sub()} + {sub()})", lambda: f"({sub()} ~ {self.expression(depth - 1)})", lambda: f"({sub()} * {self.r.randint(-1, 3)})",
            lambda: f"({sub()} if {self.truth(depth - 1)} else {sub()})", lambda: f"{sub()}[{self.pick('1:', ':-1', '::-1', '0:2', '::2', '-3:', '5:1')}]",
            lambda: f"({sub()})[{self.pick('0', '-1', '1', '-2')}]", lambda: f"({sub()} | {self.pick('trim', 'upper', 'lower', 'title', 'capitalize', 'string', 'indent(2)', 'reverse', 'tojson', 'center(7)', 'truncate(5)', 'first', 'last')})",
            lambda: f"({self.list(depth - 1)} | join({self.text()}))", lambda: f"({self.expression(depth - 1)} | tojson)", lambda: f"({self.expression(depth - 1)} | string)",
            lambda: f"({sub()} | replace({self.text()}, {self.text()}))", lambda: f"({self.expression(depth - 1)} | default({sub()}, true) | string)",
            lambda: f"{sub()}.{self.pick('strip()', 'lstrip()', 'rstrip()', 'upper()', 'lower()', 'title()', 'capitalize()', 'swapcase()', 'center(5)', 'zfill(4)', 'ljust(6)')}",
            lambda: f"{sub()}.replace({self.text()}, {self.text()}, {self.r.randint(-1, 2)})", lambda: f"{sub()}.strip({self.text()})", lambda: f"{sub()}.split({self.pick(*[repr(w) for w in (' ', ',', 'a', '>')])})[{self.pick('0', '-1')}]",
            lambda: f"{sub()}.partition('a')[{self.r.randint(0, 2)}]", lambda: f"({sub()} or {sub()})", lambda: f"({sub()} and {sub()})")()

    def number(self, depth=2):
        sub = lambda: self.number(depth - 1)
        if depth <= 0:
            return str(self.r.randint(-3, 9))
        return self.pick(lambda: str(self.r.randint(-3, 9)), lambda: "k", lambda: self.pick("0.5", "2.0", "1e3", "-0.25"),
                         lambda: f"({sub()} {self.pick('+', '-', '*')} {sub()})", lambda: f"({sub()} {self.pick('//', '%', '/')} {self.r.choice([-3, 2, 7, 0.5])})",
                         lambda: f"({self.list(depth - 1)} | length)", lambda: f"({self.string(depth - 1)} | length)", lambda: f"({self.string(depth - 1)} | int)",
                         lambda: f"({sub()} | {self.pick('abs', 'int', 'float', 'round', 'round(1)')})", lambda: f"{self.string(depth - 1)}.{self.pick('find', 'count', 'rfind')}({self.text()})",
                         lambda: f"([{sub()}, {sub()}] | {self.pick('sum', 'max', 'min', 'first', 'last')})")()

    def truth(self, depth=2):
        sub = lambda: self.expression(depth - 1)
        if depth <= 0:
            return self.pick("true", "false", "k", "n", "missing", "xs")
        return self.pick(lambda: f"({self.number(depth - 1)} {self.pick('<', '>=', '==', '!=', '>')} {self.number(depth - 1)})", lambda: f"({self.string(depth - 1)} {self.pick('<', '==', 'in', 'not in')} {self.string(depth - 1)})",
                         lambda: f"({sub()} is {self.test(depth)})", lambda: f"(not {sub()})", lambda: f"({sub()} {self.pick('and', 'or')} {sub()})", lambda: f"({sub()} {self.pick('==', '!=')} {sub()})", lambda: f"({sub()} in {self.list(depth - 1)})",
                         lambda: f"{self.string(depth - 1)}.{self.pick('isdigit()', 'isspace()', 'islower()', 'isupper()', 'isalpha()')}", lambda: f"{self.string(depth - 1)}.{self.pick('startswith', 'endswith')}({self.text()})",
                         lambda: f"({self.number(depth - 1)} < {self.number(depth - 1)} <= {self.number(depth - 1)})")()

    def list(self, depth=2):
        if depth <= 0:
            return self.pick("xs", "ms", "[]", "[1, 'a']", "d.b")
        sub = lambda: self.list(depth - 1)
        one = lambda: self.expression(depth - 1)
        return self.pick(lambda: "xs", lambda: "ms", lambda: f"[{one()}, {one()}]", lambda: f"({sub()} + {sub()})", lambda: f"{sub()}[{self.pick('1:', ':-1', '::-1', '0:2', '::2')}]",
                         lambda: f"{self.string(depth - 1)}.split()", lambda: f"{self.string(depth - 1)}.splitlines()", lambda: f"{self.string(depth - 1)}.split({self.pick(*[repr(w) for w in (' ', ',', 'a')])}, {self.r.randint(-1, 2)})",
                         lambda: f"({sub()} | {self.pick('reverse', 'select', 'batch(2)', 'slice(2)', 'map(chr_)'.replace('chr_', repr('string')), 'list')} | list)", lambda: f"({self.string(depth - 1)} | list)",
                         lambda: f"([{self.string(depth - 1)}, {self.string(depth - 1)}] | {self.pick('sort', 'unique | list', 'sort(reverse=true)', 'sort(case_sensitive=true)', 'map(' + repr('upper') + ') | list')})",
                         lambda: f"(d | {self.pick('list', 'dictsort', 'items | list')})", lambda: f"(d.{self.pick('items()', 'keys()', 'values()')} | list)", lambda: f"(ms | {self.pick('selectattr', 'rejectattr')}('{self.pick('role', 'a')}'{self.pick('', ', ' + repr('equalto') + ', ' + repr('user'), ', ' + repr('defined'))}) | list)",
                         lambda: f"(ms | map(attribute='{self.pick('role', 'content', 'a')}') | list)", lambda: f"(range({self.r.randint(0, 5)}) | list)", lambda: f"([{self.number(depth - 1)}, {self.number(depth - 1)}] | sort)")()

    def wild(self, depth=3):
        if depth <= 0:
            return self.pick(self.literal, lambda: self.r.choice(NAMES))()
        sub = lambda: self.wild(depth - 1)
        return self.pick(
            self.literal, lambda: self.r.choice(NAMES), lambda: self.r.choice(NAMES),
            lambda: f"({sub()} {self.r.choice(['+', '-', '*', '//', '%', '~', '/', '~', '+'])} {sub()})",
            lambda: f"({sub()} {self.r.choice(['==', '!=', '<', '>=', 'in', 'not in', 'and', 'or'])} {sub()})",
            lambda: f"(not {sub()})", lambda: f"({sub()} if {sub()} else {sub()})", lambda: f"({sub()} if {sub()})",
            lambda: f"{self.r.choice(NAMES)}[{self.r.choice(['0', '-1', '1:', ':-1', '::-1', '0:2', '1', '::2', chr(34) + 'role' + chr(34)])}]",
            lambda: f"{self.r.choice(NAMES)}.{self.r.choice(['role', 'content', 'a', 'items', 'b'])}",
            lambda: f"[{sub()}, {sub()}]", lambda: f"({sub()}, {sub()})", lambda: "{" + f"{self.text()}: {sub()}, 'b': {sub()}" + "}",
            lambda: f"({sub()}) | {self.filter(depth)}", lambda: f"({sub()}) | {self.filter(depth)}",
            lambda: f"({sub()} is {self.test(depth)})", lambda: f"({sub()}).{self.method(depth)}", lambda: f"s.{self.method(depth)}")()

    def filter(self, depth):
        sub = lambda: self.expression(depth - 2)
        return self.pick(*(lambda f=f: f for f in (
            "trim", "upper", "lower", "title", "capitalize", "length", "first", "last", "list", "string", "join", "tojson",
            "reverse", "sort", "unique | list", "int", "float", "abs", "round", "sum", "max", "min", "items | list", "dictsort",
            "tojson(indent=2)", "select | list", "map('upper') | list", "map(attribute='a') | list", "count", "default('q')",
            "batch(2) | list", "indent(2)", "selectattr('role', 'equalto', 'user') | list", "rejectattr('role') | list",
            "truncate(5)", "center(7)", "groupby('role')", "groupby('a', default='q')", "urlencode", "xmlattr", "wordcount", "wordwrap(4, break_on_hyphens=false)", "e", "forceescape", "attr('role')", "filesizeformat", "slice(2) | list", "map('string') | join('+')")),
            lambda: f"join({self.text()})", lambda: f"replace({self.text()}, {self.text()})", lambda: f"default({sub()}, true)")()

    def test(self, depth):
        return self.pick("defined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "boolean",
                         "true", "not none", "undefined", "filter", "test", "odd", "even", "lower", "upper", "float", "false", "callable",
                         f"in {self.r.choice(['xs', 's', 'd'])}", f"eq {self.literal()}", "divisibleby 3")

    def method(self, depth):
        t = self.text
        return self.pick(*(lambda m=m: m for m in (
            "strip()", "lstrip()", "rstrip()", "split()", "upper()", "lower()", "title()", "items()", "keys()", "values()",
            "splitlines()", "isdigit()", "capitalize()", "copy()", "isspace()", "swapcase()", "islower()", "rsplit(none, 1)")),
            lambda: f"split({t()})", lambda: f"replace({t()}, {t()})", lambda: f"startswith({t()})", lambda: f"endswith({t()})",
            lambda: f"strip({t()})", lambda: f"find({t()})", lambda: f"get({t()}, {self.literal()})", lambda: f"join({self.r.choice(['xs', 's', 'd'])})",
            lambda: f"partition({t()})", lambda: f"count({t()})", lambda: f"rstrip({t()})", lambda: f"center({self.r.randint(0, 9)})",
            lambda: f"get('role')", lambda: f"split({t()})[0]", lambda: f"split({t()}, 1)", lambda: f"removeprefix({t()})")()

    def data(self):
        return self.pick("", "a", "\n", "  ", " \n ", "x\n", "\n\n", "é", "{ }", "  b  ")

    def tag(self, inside):
        return "{%" + self.pick("", "-", "+", "-") + " " + inside + " " + self.pick("", "-", "+", "-") + "%}"

    def print(self, depth):
        return "{{" + self.pick("", "-") + " " + self.expression(depth) + " " + self.pick("", "-") + "}}"

    def block(self, depth):
        return "".join(self.statement(depth) + self.data() for _ in range(self.r.randint(1, 3)))

    def statement(self, depth):
        if depth <= 0:
            return self.print(2)
        body = lambda: self.data() + self.block(depth - 1)
        loop = lambda: self.r.choice(["loop.index", "loop.first", "loop.last", "loop.previtem", "loop.nextitem", "loop.length",
                                      "loop.revindex0", "loop.cycle('a', 'b')", "loop.changed(x)", "loop.depth"])
        return self.pick(
            lambda: self.print(3), lambda: self.print(3), lambda: "{#" + self.pick("", "-") + " c " + self.pick("", "-") + "#}",
            lambda: self.tag(f"if {self.expression(2)}") + body() + self.tag("endif"),
            lambda: self.tag(f"if {self.expression(2)}") + body() + self.tag(f"elif {self.expression(2)}") + body() + self.tag("else") + body() + self.tag("endif"),
            lambda: self.tag(f"for x in {self.r.choice(['xs', 's', 'd', 'ms', '[1, 2]', self.expression(2)])}") + body() + "{{ " + loop() + " }}" + self.tag("endfor"),
            lambda: self.tag(f"for m in ms if {self.expression(2)}") + body() + "{{ " + loop() + " }}" + self.tag("else") + body() + self.tag("endfor"),
            lambda: self.tag("for x in xs") + body() + self.tag(f"if {self.expression(1)}") + self.tag(self.pick("break", "continue")) + self.tag("endif") + body() + self.tag(self.pick("else", "endif") if False else "endfor"),
            lambda: self.tag("for k, v in d.items()") + body() + self.tag("endfor"),
            lambda: self.tag(f"set {self.r.choice(['x', 's', 'k', 'ns.a', 'q'])} = {self.expression(2)}"),
            lambda: self.tag(f"set {self.r.choice(['x', 's', 'q'])}") + body() + self.tag("endset"),
            lambda: self.tag("macro f(x, k=1)") + body() + self.tag("endmacro") + "{{ f(" + self.expression(1) + ") }}",
            lambda: self.tag("generation") + body() + self.tag("endgeneration"),
            lambda: self.tag(f"filter {self.pick('upper', 'trim', 'lower')}") + body() + self.tag("endfilter"),
            lambda: self.tag(f"with x = {self.expression(1)}") + body() + self.tag("endwith"))()


INPUTS = {"xs": [3, "b", 1.5, None, [1, 2]], "s": "Héllo, <think>a</think> b\n", "d": {"a": 1, "b": [1, "z"], "role": "user"},
          "n": None, "k": 2, "ms": [{"role": "user", "content": " hi "}, {"role": "assistant", "content": "yo\n", "a": [1]}]}


def random_case(seed, number):
    maker = Maker(seed * 1000003 + number)
    template = "{% set ns = namespace(a=1) %}" + maker.data() + maker.block(2)
    return f"random {seed} {number}", template, INPUTS
