"""What a chat template may do, and that it ends: jinja2's sandbox, on a budget."""

from time import process_time

import pytest
from jinja2 import TemplateError

from minisft.formats.sandbox import Sandbox, TooMuch


def written(source, **names):
    sandbox = Sandbox()
    return sandbox.render(sandbox.template(source), 100, **names)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for m in ms %}{{ m }}{{ ', ' if not loop.last }}{% endfor %}", "a, b"),
        ("{% for m in ms %}{{ loop.index }}/{{ loop.length }}{{ loop.nextitem }} {% endfor %}", "1/2b 2/2 "),
        ("{% for m in ms %}{% if m == 'a' %}{% continue %}{% endif %}{{ m }}{% endfor %}", "b"),
        ("  {% if true %}\n x\n  {% endif %}\n", " x\n"),  # blocks are trimmed, as transformers has them
        ("{{ {'b': 'é<', 'a': [1]} | tojson }}", '{"b": "é<", "a": [1]}'),
        ("{{ [1] | tojson(indent=2) }}", "[\n  1\n]"),
        ("{% set n = namespace(x=1) %}{% for m in ms %}{% set n.x = n.x + 1 %}{% endfor %}{{ n.x }}", "3"),
        ("a{% generation %}{{ 'b' ~ 1 }}{% endgeneration %}", "ab1"),
        ("{{ missing }}{{ ms[0].missing }}{% for m in missing %}x{% endfor %}", ""),
        ("{% macro twice(x) %}{{ x * 2 }}{% endmacro %}{{ twice(3) }}{{ twice('a') }}", "6aa"),
        ("{{ dict(a=1).items() | list }}{{ ms | join('-') }}{{ 'a b'.split(' ')[1] }}", "[('a', 1)]a-bb"),
        ("{{ ms | map('upper') | list | length }}{{ ms | selectattr('x') | list }}{{ 7 % 4 }}", "2[]3"),
    ],
)
def test_a_template_writes_what_it_does_in_transformers(source, text):
    assert written(source, ms=["a", "b"]) == text


DOUBLED = "{%% set n = namespace(x=%s) %%}{%% for i in range(60) %%}{%% set n.x = %s %%}{%% endfor %%}{{ %s }}"
ENDLESS = {
    "a loop": "{% for i in range(10**9) %}{% endfor %}",
    "a long range": "{% for i in range(1000000000) %}{% endfor %}",
    "loops": "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "lists in a loop": "{% for i in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
    "a macro": "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "macros": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "a loop in itself": "{% for x in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "a text": "{{ 'a' * 1000000000 }}",
    "added texts": DOUBLED % ("'a'", "n.x + n.x", "n.x"),
    "joined texts": DOUBLED % ("'a'", "n.x ~ n.x", "n.x"),
    "lists": DOUBLED % ("[1]", "n.x + n.x", "n.x | length"),
    "lists of lists": DOUBLED % ("[1]", "[n.x, n.x]", "n.x"),
    "lists of lists as JSON": DOUBLED % ("[1]", "[n.x, n.x]", "n.x | tojson"),
    "numbers": DOUBLED % ("9", "n.x * n.x", "n.x"),
    "a power": "{{ 9 ** 9 ** 9 }}",
    "replace": "{{ ('a' * 99999).replace('a', 'b' * 99999) }}",
    "the filter replace": "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
    "join": "{{ ('a' * 99999).join(range(99999) | map('string')) }}",
    "the filter join": "{{ range(99999) | join('a' * 99999) }}",
    "indent": "{{ 'a\n' | indent(1000000000, true) }}",
    "a format": "{{ '%1000000000d' % 1 }}",
    "another format": "{{ '{:1000000000}'.format(1) }}",
    "ljust": "{{ 'a'.ljust(1000000000) }}",
    "bytes": "{{ (1).to_bytes(1000000000, 'big') }}",
    "indented JSON": "{{ [1] | tojson(indent=1000000000) }}",
    "a long text in a loop": "{% for i in range(99999) %}" + "a" * 60_000 + "{% endfor %}",
    "a long text in a variable": "{% for i in range(99999) %}{% set x %}" + "a" * 60_000 + "{% endset %}{% endfor %}",
    "lipsum": "{{ lipsum(1000000) }}",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_take_for_ever_or_fill_the_memory_ends_in_an_error(name):
    began = process_time()
    with pytest.raises((TemplateError, RecursionError, OverflowError)):
        written(ENDLESS[name])
    assert process_time() - began < 4


def test_the_budget_grows_with_the_conversation():
    source = "{% for m in ms %}{% for n in ms %}{% endfor %}{% endfor %}"
    sandbox = Sandbox()
    assert sandbox.render(sandbox.template(source), 10**6, ms=["a"] * 1000) == ""
    with pytest.raises(TooMuch):
        sandbox.render(sandbox.template(source), 0, ms=["a"] * 1000)


def test_what_is_written_grows_with_the_conversation_and_not_with_the_budget():
    """Or its tokens would take minutes."""
    sandbox, long = Sandbox(), "{% for i in range(99999) %}12345{% endfor %}"
    with pytest.raises(TooMuch, match="writes more"):
        sandbox.render(sandbox.template(long), 0)
    assert len(sandbox.render(sandbox.template(long), 10**4)) == 5 * 99999


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ms.append(1) }}",
        "{{ namespace(_x=1) }}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{{ raise_exception.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ ms | random }}",
        "{{ dict.fromkeys.__func__ }}",
        "{{ strftime_now.__self__ }}",
    ],
)
def test_a_template_reaches_nothing_but_its_conversation(source):
    with pytest.raises((TemplateError, TypeError)):
        assert written(source + "{{ 1 + missing.x }}", ms=[1]) is None
