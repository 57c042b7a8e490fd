"""Inputs of template_reference.py: dialogues that families of templates are tried on, and small templates."""

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather at a place.\nIn degrees.",
    "parameters": {"type": "object", "properties": {
        "place": {"type": "string", "description": "A town, e.g. \"Zürich\""},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": "array", "items": {"type": "integer"}},
        "exact": {"type": ["boolean", "null"], "default": False}},
        "required": ["place"]}}}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "The time.",
                                          "parameters": {"type": "object", "properties": {}}}}
TOOLS = [WEATHER, CLOCK]


def turn(role, content, **more):
    return dict(role=role, content=content, **more)


def call(name, arguments, number="abcdef123"):
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


SHORT = [turn("user", "What is 1 + 1?"), turn("assistant", "2")]
DIALOGUES = {
    "short": SHORT,
    "system": [turn("system", "Be brief.")] + SHORT,
    "long": [turn("system", " Answer in words.\n"), turn("user", "one and one "), turn("assistant", " two "),
             turn("user", "\nand one more?"), turn("assistant", "three\n")],
    "open": [turn("user", "a"), turn("assistant", "b"), turn("user", "c")],
    "unicode": [turn("user", "Grüße 😀 <b>&'\"\\\u2028\u00a0"), turn("assistant", "日本語\u0007\u007f ñ")],
    "thinking": [turn("user", "q1"), turn("assistant", "<think>\nfirst\n</think>\n\nanswer 1"), turn("user", "q2"),
                 turn("assistant", "<think>second</think>answer 2")],
    "reasoning": [turn("user", "q1"), turn("assistant", "a1", reasoning_content="because", thinking="so"),
                  turn("user", "q2"), turn("assistant", "a2", reasoning_content="since", thinking="thus")],
    "tools": [turn("system", "Use tools."), turn("user", "Is it hot in Zürich?"),
              turn("assistant", "", tool_calls=[call("weather", {"place": "Zürich", "days": [1, 2], "exact": None})]),
              turn("tool", "{\"t\": 31.5}", tool_call_id="abcdef123", name="weather"), turn("assistant", "Yes, 31.5.")],
    "two tools": [turn("user", "Hot, and when?"),
                  turn("assistant", None, tool_calls=[call("weather", {"place": "Rom"}), call("clock", {}, "123456789")]),
                  turn("tool", "hot", tool_call_id="abcdef123"), turn("tool", "noon", tool_call_id="123456789"),
                  turn("assistant", "Hot, noon.")],
    "text tools": [turn("user", "Hot?"),
                   turn("assistant", None, tool_calls=[call("weather", "{\"place\": \"Rom\"}")]),
                   turn("tool", "hot", tool_call_id="abcdef123"), turn("assistant", "Hot.")],
    "parts": [turn("user", [{"type": "text", "text": " look "}, {"type": "image"}, {"type": "text", "text": "here"}]),
              turn("assistant", [{"type": "text", "text": "a cat"}])],
    "documents": [turn("user", "Who?"), turn("assistant", "She.")],
    "twice user": [turn("user", "a"), turn("user", "b")],
    "options": SHORT,
    "empty system": [turn("system", "")] + SHORT,
    "alone": [turn("assistant", "hello")],
}
EXTRAS = {
    "tools": {"tools": TOOLS},
    "two tools": {"tools": [WEATHER]},
    "text tools": {"tools": TOOLS, "documents": [{"title": "t", "text": "x"}]},
    "documents": {"documents": [{"title": "One", "text": "first"}, {"title": "Two", "text": "second\nline"}]},
    "options": {"enable_thinking": False, "tools_in_user_message": False, "controls": {"length": "short"},
                "reasoning_effort": "low", "custom_tools": [CLOCK]},
}

X = {"xs": [3, 1, 2], "s": "Hello, wörld", "d": {"b": 1, "a": [1, {"k": None}], "items": 5}, "n": None, "t": True,
     "f": 0.1, "e": [], "words": ["b", "A", "c"], "rows": [{"n": "x", "v": 2}, {"n": "Y", "v": 1}, {"n": "z"}],
     "nested": [1, [2, 3], [4, [5]]], "pairs": [["a", [1, 2]], ["b", [3, 4]]]}

# Expressions, each printed by itself.
EXPRESSIONS = r"""
xs | s | d | n | t | f | e | undefined_name | [1, 'a', "it's", 'q"', none, true, 1.5] | (1,) | () | (1, 2) | {} | {'a': 1, 2: [3]}
1 + 2 * 3 | 7 // 2 | -7 // 2 | 7 % 3 | -7 % 3 | 7 / 2 | 2 ** 10 | 2 ** -1 | 2 ** 3 ** 2 | -2 ** 2 | 7.5 // 2 | -7.5 % 2 | 1e3 | 1e16 | 1e-5 | 123456789.123 | 1.0
0x1f + 0b11 + 0o17 | 1_000 | 9223372036854775807 | 1 if t else 2 | 1 if n | 'a' if n else 'b' if e else 'c' | not t | not not n
1 < 2 < 3 | 1 < 3 < 2 | 1 == 1.0 == true | 'a' < 'b' | [1, 2] < [1, 3] | 1 != 2 | 'a' == 1 | n == none | missing == none | missing == other
2 in xs | 5 not in xs | 'lo' in s | 'b' in d | 1 in missing | 'x' in 'xyz' in ['xyz'] | n is none and t is true
t and 0 or 'x' | 0 or '' | e or 'empty' | 'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1] | 'a' 'b' | 'ab' * 3 | [1] * 2 | 3 * 'x' | 'x' * 0 | [1] + [2] | (1,) + (2,)
xs[0] | xs[-1] | xs[5] is defined | xs[1:] | xs[:-1] | xs[::-1] | xs[::2] | xs[-2:] | s[0] | s[-4] | s[7:] | s[::-1] | s[1:4] | s[8] | s[:-1] | s[10:2] | xs[5:] | xs[-100:100]
d[[1]] is defined | d[d] is defined | d[none] is defined | d[1.5] is defined | d.b | d['b'] | d.a[1].k | d['items'] | d.nothing is defined | d.get('b') | d.get('z') | d.get('z', 7) | d.keys() | d.values() | d.items() | d.items()|list | d|items|list | d.a.0 | d|length
s.upper() | s.lower() | s.title() | s.capitalize() | 'ß'.upper() | 'ŉ ǆ ﬁ'.upper() | 'ΑΣ ΑΣΑ'.lower() | 'İ'.lower() | 'aB1 c-d'.title() | 'aB'.swapcase() | "they're bill's".title() | "they're {x [y <z (q w-e"|title
s.split(', ') | 'a b  c'.split() | ' a b '.split() | 'a,b,,c'.split(',') | 'a,b,c'.split(',', 1) | 'a,b,c'.rsplit(',', 1) | ' a b c '.split(none, 1) | ' a b c '.rsplit(none, 1) | ''.split() | ''.split(',')
'  x '.strip() | '  x '.lstrip() ~ '|' | '  x '.rstrip() ~ '|' | 'xxaxx'.strip('x') | 'abcba'.strip('ab') | 'xay'.lstrip('yx') | '\u00a0\u2003x\x1f'.strip() | 'éxé'.strip('é')
s.startswith('Hello') | s.startswith(('x', 'H')) | s.endswith('ld') | s.startswith('llo', 2) | s.endswith('') | s.replace('l', 'L') | s.replace('l', 'L', 1) | s.replace('', '-') | 'aaa'.replace('aa', 'b')
s.find('o') | s.find('z') | s.rfind('o') | s.index('w') | s.count('l') | s.count('') | 'wörld'.find('r') | 'aXbX'.partition('X') | 'aXbX'.rpartition('X') | 'ab'.partition('z') | 'abc'.removeprefix('a') | 'abc'.removesuffix('c')
', '.join(['a', 'b']) | ', '.join(words) | 'a\nb\r\nc\x0bd'.splitlines() | 'a\nb'.splitlines(true) | 'x'.center(4) ~ '|' | 'x'.center(5, '*') | 'x'.ljust(3, '.') | 'x'.rjust(3) | '7'.zfill(3) | '-7'.zfill(4) | 'xy'.center(5, '*')
'12'.isdigit() | 'a1'.isalnum() | 'aé'.isalpha() | ' \t'.isspace() | 'aB'.islower() | 'AB1'.isupper() | ''.isdigit() | '{} {}'.format(1, 'a') | '{0}{x}{{}}'.format(1, x=2) | '%s-%d-%.2f-%5s|%-5s|%05d' % ('a', 3, 1.005, 'r', 'l', -42)
'%s' % 'x' | '%(a)s' % {'a': 1} | '%x %X %o %%' % (255, 255, 8) | '%r' % 'q' | '%e %g' % (12345.678, 0.00001) | '%+d % d' % (1, 2)
words|sort | words|sort(reverse=true) | words|sort(case_sensitive=true) | rows|sort(attribute='n')|map(attribute='n')|list | xs|sort|join(',') | d|dictsort | {'B': 2, 'a': 3}|dictsort | {'B': 2, 'a': 1}|dictsort(by='value') | {'B': 2, 'a': 1}|dictsort(true)
xs|length | s|length | missing|length | xs|first | xs|last | e|first is defined | xs|sum | xs|max | xs|min | words|max | words|min(case_sensitive=true) | rows|sum(attribute='v') if false else 'no' | [0.5, 1]|sum | xs|sum(start=10)
xs|join | xs|join('-') | rows|join('|', attribute='n') | xs|reverse|list | 'abc'|reverse | xs|list | 'ab'|list | d|list | (1, 2)|list | range(3)|list | xs|string | n|string | missing|string ~ '|' | missing|list
missing|default('x') | missing|d('x') | n|default('x') | n|default('x', true) | ''|default('x', boolean=true) | missing|default | s|upper | s|lower | s|capitalize | s|title | ' x '|trim | 'xax'|trim('x') | 5|trim | 'a b'|replace(' ', '_') | 15|replace(1, 2)
rows|map(attribute='n')|join(',') | rows|map(attribute='v', default=0)|list | words|map('upper')|list | words|map('replace', 'A', 'Z')|join | rows|selectattr('v')|list | rows|selectattr('v', 'defined')|map(attribute='n')|list | rows|selectattr('v', 'gt', 1) if false else 1
xs|select('odd')|list | xs|reject('odd')|list | xs|select('gt', 1)|list | xs|select('>', 1)|list | e|select|list | [0, 1, '', 'x']|select|list | rows|rejectattr('v', 'defined')|list | rows|selectattr('n', 'equalto', 'x')|first | rows|selectattr('n', 'in', ['x', 'z'])|map(attribute='n')|list
['a', 'A', 'b', 'a']|unique|list | [1, 2, 1]|unique|list | ['a', 'A']|unique(true)|list | [1, 2, 3, 4, 5]|batch(2)|list | [1, 2, 3, 4, 5]|batch(2, 0)|list | [1, 2, 3, 4, 5]|slice(2)|list | [1, 2, 3, 4, 5]|slice(3, 'x')|list
'42'|int | '4.9'|int | 'x'|int | 'x'|int(-1) | 4.9|int | '-7'|int | true|int | none|int | ' 12 '|int | '1_0'|int | '1.5'|float | 'x'|float | 'x'|float(2) | 3|float | -3|abs | -3.5|abs | 42.55|round(1) | 2.5|round | 3.5|round | 42.5|round|int | 42.51|round(1, 'floor') | 42.51|round(1, 'ceil') | 5|round | 1.005|round(2)
xs|tojson | d|tojson | d|tojson(indent=2) | [] |tojson(indent=2) | {}|tojson | 'é"\\\n\u2028<>&\'\x01\x7f'|tojson | 'é😀'|tojson(ensure_ascii=true) | {'b': 1, 'a': 2}|tojson(sort_keys=true) | [1, {'a': [true, none, 1.5, 1e20]}]|tojson(indent=4) | (1, 2)|tojson | {1: 2, none: 3, true: 4, 1.5: 6}|tojson | [1, 2]|tojson(separators=(',', ':')) | {'a': 1}|tojson(none, '\t') | [1]|tojson(indent=0)
n is none | n is defined | missing is defined | missing is undefined | s is string | d is mapping | xs is sequence | d is sequence | s is iterable | 5 is iterable | missing is iterable | 5 is integer | true is integer | 1.0 is float | true is number | t is boolean | t is true | 0 is false | false is false | d.items is callable | xs is not mapping
3 is odd | 4 is even | 6 is divisibleby(3) | 6 is divisibleby 4 | 'a' is lower | 'A' is upper | 1 is sameas(true) | none is sameas none | 'a' is in ['a'] | 1 is eq 1 | 2 is gt 1 | 1 is lessthan 2 | 2 is ne 1 | 'a' is equalto 'a' | range is callable | (xs|map('string')) is sequence | (xs|map('string')) is iterable | d.keys() is sequence
'one\ntwo\n\nthree'|indent | 'one\ntwo\n\nthree'|indent(2, true) | 'one\ntwo\n\nthree'|indent(2, blank=true) | 'a\nb'|indent('> ') | 'foo bar baz qux'|truncate(9) | 'foo bar baz qux'|truncate(9, true) | 'foo bar baz qux'|truncate(11) | 'foo bar baz qux'|truncate(11, false, '...', 0) | 'ab'|center(6) ~ '|' | '%s, %s!'|format('a', 2)
range(5)|list | range(1, 5)|list | range(5, 0, -2)|list | range(3) | range(1, 9, 3) | range(5)[1:3]|list | range(10)[-1] | 3 in range(5) | range(5)|length | dict(a=1, b=2) | dict([('a', 1)]) | dict({'a': 1}, b=2) | namespace(a=1).a | namespace({'a': 2}).a | namespace().a is defined
{'a': 1}['a'] | {'a': {'b': 2}}.a.b | [[1, 2], [3]][0][1] | 'abc'[1] | ('a', 'b')[1] | {'x': 1, 'x': 2} | {1: 'a', true: 'b', 1.0: 'c'} | 'a' in {'a': 1} | {'a': 1} == {'a': 1.0} | [1, 2] == [1, 2] | (1, 2) == [1, 2] | 'é' in 'né' | [1, [2]] == [1, [2]]
'\x41\u00e9\U0001F600\t\\n\'' | 'a\
b' | '\d' | "\101" | 'tab\there' | 'x' if 'a' in 'abc' and not 'z' in 'abc' | -xs[0] | -3|abs | (xs|first) + 1 | xs|map('string')|join('+') | xs[0:1][0] | loop is defined | caller is defined | (1 if false) is undefined | not xs
0.1 + 0.2 | 1/3 | 100.0 | 1e100 | 1.5e-7 | 123456789012345678.0 | -0.0 | 5 // 0.3 | 1e15 | 1e16 + 1 | 3.0 * 2 | 10 ** 20 if false else 1 | 7 % -3 | -7.5 // 2 | 2.0 ** 0.5 | 1 + true | true + true | +true | -true | true ~ false
rows|groupby('n')|list | rows|groupby('v', default=0) | rows|groupby('v', default=0)|map(attribute='list')|list | rows|groupby('n', case_sensitive=true)|map(attribute='grouper')|join(',') | pairs|groupby(0)|first | e|groupby('n') | (rows|groupby('n')|first).grouper | (rows|groupby('n')|first)['list'] | (rows|groupby('n'))[0][1]|length
[{'r': 'B'}, {'r': 'a'}, {'r': 'b'}]|groupby('r') | [{'r': {'k': 2}}, {'r': {'k': 1}}]|groupby('r.k') | rows|groupby(attribute='n', default='q')|length | [{'r': 1}, {'r': true}, {'r': 1.0}]|groupby('r') | (rows|groupby('n'))[0] == ('x', [rows[0]]) | (rows|groupby('n')|first)|list
s|attr('upper')() | d|attr('b') is defined | d|attr('get')('b') | 'a-b'|attr('split')('-') | d|attr('items')()|list | xs|attr('nope') is undefined | namespace(a=1)|attr('a') | words|map('attr', 'nope')|select('defined')|list
'<b>&"\''|e | 5|escape | '<'|e|e | '<'|e|forceescape | missing|e ~ '|' if false else 1 | xs|e | '<é>'|escape | ['<', 1]|map('e')|list|length | '<'|e is escaped | ['<'|e, {'a': 'b'|safe}] | '<' is escaped
{'a': 1, 'b': '<"', 'c': none}|xmlattr | {'a': 1}|xmlattr(false) | {}|xmlattr | {'a': none}|xmlattr | {'é&': "it's", 'b': true}|xmlattr(autospace=false) | {'a': missing, 'b': 2}|xmlattr
'a b/c?d=é&~'|urlencode | {'q': 'a b/c', 'n': 1}|urlencode | [('a', 1), ('b', '&')]|urlencode | 5|urlencode | none|urlencode | ''|urlencode | missing|urlencode ~ '|' | d.items()|urlencode | ['ab', 'cd']|urlencode
0|filesizeformat | 1|filesizeformat | 999|filesizeformat | 1000|filesizeformat | 1024|filesizeformat(true) | 1536|filesizeformat(binary=true) | 123456789|filesizeformat | 1.5|filesizeformat | 1e20|filesizeformat | 1e20|filesizeformat(true) | -5|filesizeformat | 999999|filesizeformat | true|filesizeformat
'one two_2 three, four-five'|wordcount | ''|wordcount | 'é ü.x'|wordcount | 15|wordcount | '  a  '|wordcount | s|wordcount
'the quick brown fox jumps'|wordwrap(10) | 'a verylongword here'|wordwrap(6) | 'a verylongword here'|wordwrap(6, false) | 'one two\n\nthree four five'|wordwrap(8) | 'one two three'|wordwrap(5, wrapstring='|') | 'a-b c-d e'|wordwrap(3, break_on_hyphens=false) | ''|wordwrap | '  a   b  '|wordwrap(3) | 'ééé üüü ß'|wordwrap(4) | 'aaaa bbbb'|wordwrap(4) | 'aaaaa    bbbbb'|wordwrap(1) | 'ab  cd'|wordwrap(3) | 'abcdefgh'|wordwrap(4) | s|wordwrap | 'a\tb c\x0bd e'|wordwrap(3)
'upper' is filter | 'nope' is filter | 'urlize' is filter | 'odd' is test | 'nope' is test | 'filter' is test | xs is test if false else 1 | '==' is test
strftime_now('%d %b %Y') | strftime_now('%Y-%m-%d') | strftime_now('%A, %B %-d, %Y %H:%M:%S %p %I %j %y %a %e %%') | strftime_now('%F %T %R %D %w')
xs.index(1) | xs.count(1) | (1, 2).index(2) | xs.copy() | d.copy() == d | pairs[0][1][0] | 'x'.join('abc') | 'abc'.replace('b', '') | s.upper().lower().title() | 'a.b'.split('.')[1] | ('a' ~ 'b').upper() | 'A' 'B'.lower() | [] == missing | '' ~ missing ~ '|'
"""

# Templates that raise, or that must be refused.
RAISES = """
{{ missing.x }} | {{ missing[0] }} | {{ missing() }} | {{ missing + 1 }} | {{ 1 + missing }} | {{ -missing }} | {{ missing < 1 }} | {{ missing|int }} | {{ missing|tojson }} | {{ 'a' + 1 }} | {{ 1 + 'a' }} | {{ n + 'a' }} | {{ n|length }} | {{ 5|length }} | {{ 1 < 'a' }}
{{ 1 // 0 }} | {{ 1 % 0 }} | {{ 1.5 / 0 }} | {{ n.x.y }} | {{ s() }} | {{ s.nope() }} | {{ xs.append(4) }} | {{ d.update({}) }} | {{ d.pop('b') }} | {{ d.clear() }} | {{ s.__class__ }}{{ s.__class__.x }} | {{ 1 in 5 }} | {{ 1 in 'a' }} | {{ raise_exception('no') }} | {{ range(10**9) }} | {{ {[]: 1} }}
{% for x in 5 %}{% endfor %} | {% for x in n %}{% endfor %} | {% for a, b in xs %}{% endfor %} | {% set a, b = 1, 2, 3 %} | {% for %}{% endfor %} | {% if %}{% endif %} | {% if x %} | {% endif %} | {{ 1 | {{ 'a }} | {% nope %} | {{ x|nope }} | {{ x is nope }} | {{ (1 }} | {{ 1) }} | {{ [1, 2 }} | {{ {'a' 1} }} | {# open | {% raw %} | {% set x %} | {{ a b }} | {{ a. }} | {% else %}
{{ xs|first|upper|nope }} | {{ 'abc'.index('z') }} | {% set x.y = 1 %} | {% break %} | {% macro f() %}{% break %}{% endmacro %} | {% for x in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %} | {{ f(a=1, 2) }} | {{ d|join(d, d, d) }} | {% macro f(a) %}{% endmacro %}{{ f(1, 2) }} | {% macro f(a) %}{% endmacro %}{{ f(b=1) }} | {% macro f(a) %}{% endmacro %}{{ f(1, a=2) }}
{{ 5|groupby('x') }} | {{ [1, 2]|groupby('x')|length }} | {{ rows|groupby('v') }} | {{ rows|groupby }} | {{ missing|attr('x') }} | {{ xs|xmlattr }} | {{ {'a b': 1}|xmlattr }} | {{ {'a>': 1}|xmlattr }} | {{ [1, 2]|urlencode }} | {{ 5|wordwrap }} | {{ 'a'|wordwrap(0) }} | {{ none|filesizeformat }} | {{ 5|filter }} | {{ xs is test }} | {{ {(1, xs): 2} }} | {{ [(1, xs)]|unique|list }} | {{ (1, xs) in {} }} | {{ d is filter }}
{{ ','.join(xs) }} | {{ 'a'.split('') }} | {{ xs|sum(attribute='x') }} | {{ words|sum }} | {{ [1, 'a']|sort }} | {{ (xs|map('string'))|length }} | {{ (xs|map('string'))|last }} | {{ '%d' % 'a' }} | {{ '%s %s' % 'a' }} | {{ 'a' % 5 }} | {{ '{} {}'.format(1) }} | {% include 'x' %} | {% import 'x' as y %} | {% extends 'x' %} | {{ loop.index }} | {% set true = 1 %} | {{ xs.1.2.x }} | {{ 1.upper() }} | {{ 007 }}
"""

# Statements and white space.
STATEMENTS = [
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n  c\n",
    "a\n  {%+ if true %}\n  b\n  {%+ endif %}\nc", "{% if true +%}\nb{% endif %}", "  {{ 1 }}\n  {{- 2 }}\n  {{ 3 -}}  \n 4",
    "a {# comment #}\nb", "a\n  {# comment #}\nb", "a\n  {#- comment -#}\n  b", "a {#+ c +#}\nb", "{##}x{#-#}y",
    "{% raw %}\n {{ x }} {% if %}\n{% endraw %}\nb", "a\n  {%- raw -%}\n {{ x }} \n {%- endraw -%}\n b", "  {% raw %}  x\n  {% endraw %}  y",
    "x\n\n", "x\n", "x\r\ny\rz", "\n\n{% if true %}\n\nx\n\n{% endif %}\n\n", "{{ '' }}\n", "\u00a0{% if true %}x{% endif %}", "{", "{ {", "a{b}c%}d}}", "}}", "{% set x = 1 %}{{ x }}",
    "{% for x in xs %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "{% for x in xs %}\n{{ x }}\n{% endfor %}\n",
    "{% for x in e %}x{% else %}none{% endfor %}", "{% for x in xs %}{{ x }}{% else %}none{% endfor %}", "{% for x in xs if x > 5 %}x{% else %}none{% endfor %}",
    "{% for x in xs if x != 1 %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{{ loop.depth }}{{ loop.depth0 }}{% for y in xs %}{{ loop.depth }}{% endfor %}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% break %}{% else %}else{% endfor %}", "{% for x in xs %}{% continue %}{% else %}else{% endfor %}", "{% for x in xs %}{% if loop.first %}{% continue %}{% endif %}{{ x }}{% else %}else{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, (a, b) in pairs %}{{ k }}{{ a }}{{ b }};{% endfor %}", "{% for (k, v) in d|dictsort %}{{ k }}{{ v }}{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in 'añb' %}[{{ c }}]{% endfor %}",
    "{% for x in nested recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}",
    "{% set x = 1 %}{% for y in xs %}{% set x = y %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(c=0) %}{% for y in xs %}{% set ns.c = ns.c + y %}{% endfor %}{{ ns.c }}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% if false %}{% set t = 5 %}{% endif %}{{ t }}", "{% for x in xs %}{% if loop.first %}{% set q = 1 %}{% endif %}{{ q }};{% endfor %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set (a, b) = [3, 4] %}{{ a + b }}",
    "{% set x %}\n a {{ 1 }}\n{% endset %}[{{ x }}]", "{% set x | upper | replace('A', 'q') %}a{% endset %}{{ x }}", "{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}",
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(1, c=4) }} {{ f(b=5) }} {{ f() }}", "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}", "{% macro f(a) %}{{ a }}{{ varargs|length }}{% endmacro %}{{ f(1, 2, 3) }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "{% macro f() %}{{ x }}{% endmacro %}{% set x = 5 %}{{ f() }}", "{% macro f() %}{% set x = 9 %}{{ x }}{% endmacro %}{% set x = 5 %}{{ f() }}{{ x }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}body{{ 1 }}{% endcall %}", "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3) f() %}{{ a }}{{ b }}{% endcall %}", "{% for x in xs %}{% macro g() %}{{ x }}{% endmacro %}{{ g() }}{% endfor %}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(*[1]) }}{{ f(**{'x': 2}) }}", "{% macro f(x) %}\n  {{ x }}\n{% endmacro %}\n{{ f(1) }}", "{% macro f() %}{{ s }}{% endmacro %}{{ f() | upper }}{{ f() | length }}", "{{ f is defined }}{% macro f() %}{% endmacro %}{{ f is defined }}{{ f.name }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}", "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aa{% endfilter %}",
    "{% generation %}x{{ 1 }}{% endgeneration %}y", "{% for x in xs %}a{% generation %}{{ x }}{% set x = 7 %}{{ x }}{% endgeneration %}{{ x }}{% endfor %}", "é{% generation %}ü{% endgeneration %}", "{% generation %}\n  a\n{% endgeneration %}\nb",
    "{% if xs and not e %}1{% elif n %}2{% else %}3{% endif %}", "{% if n %}1{% elif t %}2{% else %}3{% endif %}", "{% if n %}1{% elif e %}2{% else %}3{% endif %}", "{% if xs|length > 2 and s is string %}y{% endif %}", "{% print 1, 'a' %}", "{% if 1: %}x{% endif %}",
    "{{ rows | selectattr('v', 'defined') | map(attribute='n') | join(',') }}", "{% set g = xs | select('odd') %}{% if g %}yes{% endif %}{{ g | list }}{{ g | list }}", "{% set g = [] | select('odd') %}{% if g %}yes{% endif %}", "{{ (xs|map('string')|list)[0] }}", "{% for x in xs|reverse %}{{ x }}{% endfor %}",
    "{{ '{{' }}{{ '}}' }}{{ '%}' }}", "{{ {'a': {'b': 1}}.a.b }}", "{{ [1,2,] }}{{ {'a':1,} }}{{ (1,2,) }}", "{{ 'a' if xs[0] == 3 else 'b' }}", "{{ x.y if x is defined else 'no' }}", "{% set loop_messages = xs[1:] %}{% for m in loop_messages %}{{ m }}{% endfor %}",
    "{{ d | items | map('first') | join }}", "{{ d.items() | map(attribute=0) | list }}", "{{ rows | map(attribute='n') | map('upper') | join(' ') }}", "{{ rows | map('length') | sum }}", "{% for a in [1,2] %}{% for b in 'xy' %}{{ loop.parent }}{{ a }}{{ b }}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% set messages = [1] + xs %}{{ messages }}", "{% for i in range(xs|length) %}{{ xs[i] }}{% endfor %}", "{% set ns = namespace(l=[]) %}{% for x in xs %}{% set ns.l = ns.l + [x * 2] %}{% endfor %}{{ ns.l }}", "{{ dict(a=1).items() | list }}", "{% set d2 = dict(d, c=3) %}{{ d2 }}", "{{ s | safe }}{{ 5 | safe }}",
    "{% for x in xs %}{{- x -}} {% endfor %}", "{%- for x in xs -%} {{ x }} {%- endfor -%}", "{% for x in xs %} {{- x }} {% endfor %}", "{{ 'a'\n ~ 'b' }}", "{%\nif true\n%}x{%\nendif\n%}", "{{-1}}", "{{+1}}", "{{- -1 -}}", "{{ 1 -1 }}", "{{ xs[0]-1 }}", "{%-if true-%}x{%-endif-%}",
    "{% for x in xs %}{% set x = x + 1 %}{{ x }}{% endfor %}", "{% for i in [1,2] %}{% if i == 1 %}{% set m = 'a' %}{% endif %}{{ m is defined }}{% endfor %}", "{% set f = s.upper %}{{ f() }}", "{% set f = d.get %}{{ f('b') }}", "{{ d.get('a')[1].k is none }}", "{{ namespace is defined }}{{ self_x is defined }}",
]


def expressions(text):
    """The parts between bars with spaces that are not filters: a bar followed by a known filter binds closer."""
    parts = [line for line in text.strip("\n").replace("\\\n", "\\\x00").split("\n")]
    for line in parts:
        for part in line.replace("\x00", "\n").split(" | "):
            yield part.strip(" ") if not part.startswith("{") else part


SNIPPETS = [("{{ " + each + " }}", X) for each in expressions(EXPRESSIONS)]
SNIPPETS += [(each, X) for each in expressions(RAISES)]
SNIPPETS += [(each, X) for each in STATEMENTS]
