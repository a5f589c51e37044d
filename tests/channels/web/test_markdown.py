"""The page's own Markdown, as the browser shows it: whole, growing, hostile and huge."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

A = 'rel="noopener noreferrer nofollow" target="_blank"'

WHOLE = [
    ("plain", "<p>plain</p>"),
    ("two\nlines", "<p>two<br>lines</p>"),
    ("one\n\ntwo", "<p>one</p><p>two</p>"),
    ("**bold** *it* ***both*** ~~gone~~", "<p><strong>bold</strong> <em>it</em> <em><strong>both</strong></em> <del>gone</del></p>"),
    ("__bold__ _it_ snake_case_name 2*3*4", "<p><strong>bold</strong> <em>it</em> snake_case_name 2<em>3</em>4</p>"),
    ("2 * 3 * 4 and a ** b", "<p>2 * 3 * 4 and a ** b</p>"),
    ("**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"),
    ("*a **b** c*", "<p><em>a <strong>b</strong> c</em></p>"),
    ("**unclosed and *more", "<p>**unclosed and *more</p>"),
    ("`code` ``a`b`` `un", "<p><code>code</code> <code>a`b</code> `un</p>"),
    (r"\*not\* \_em\_ \`code\` \\", "<p>*not* _em_ `code` \\</p>"),
    ("&amp; &lt; &#65; &#x42; &unknown; &", "<p>&amp; &lt; A B &amp;unknown; &amp;</p>"),
    ("# One\n## Two ##\n###### Six\n#hash", '<h3 class="h1">One</h3><h4 class="h2">Two</h4><h6 class="h6">Six</h6><p>#hash</p>'),
    ("a\n---\nb", "<p>a</p><hr><p>b</p>"),
    ("> q\n> r\n\nnot", "<blockquote><p>q<br>r</p></blockquote><p>not</p>"),
    ("> > deep", "<blockquote><blockquote><p>deep</p></blockquote></blockquote>"),
    ("- a\n- b\n  - c\n- d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"),
    ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
    ("3) c\n4) d", '<ol start="3"><li>c</li><li>d</li></ol>'),
    ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
    ("* a\n* b\n\ntext", "<ul><li>a</li><li>b</li></ul><p>text</p>"),
    ("1. a\n   more\n\n   para\n2. b", "<ol><li><p>a<br>more</p><p>para</p></li><li><p>b</p></li></ol>"),
    ("In 2026. It\n2026. was", "<p>In 2026. It<br>2026. was</p>"),
    ('[t](https://a.example/x?y=1 "T")', f'<p><a href="https://a.example/x?y=1" {A} title="T">t</a></p>'),
    ("[a_b](https://a.example/a_(b))", f'<p><a href="https://a.example/a_(b)" {A}>a_b</a></p>'),
    ("[**b**](mailto:a@b.example)", f'<p><a href="mailto:a@b.example" {A}><strong>b</strong></a></p>'),
    ("<https://a.example/>", f'<p><a href="https://a.example/" {A}>https://a.example/</a></p>'),
    ("see https://a.example/b_c.", f'<p>see <a href="https://a.example/b_c" {A}>https://a.example/b_c</a>.</p>'),
    ("(https://a.example/(b))", f'<p>(<a href="https://a.example/(b)" {A}>https://a.example/(b)</a>)</p>'),
    ("![alt](https://a.example/i.png)", f'<p><a href="https://a.example/i.png" {A}>alt</a></p>'),
    ("[a](relative.html) [b](//x.example) [c]", "<p>a b [c]</p>"),
    ("[x](javascript:alert(1))", "<p>x</p>"),
    ("<b>no</b> <script>alert(1)</script>", "<p>&lt;b&gt;no&lt;/b&gt; &lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ("- [ ] open\n- [x] done", None),
    ("| a | b |\n|---|:-:|\n| 1 | `x|y` |\n| 2 |", None),
    ("```py\nif x:\n\ty = '`'\n```\nafter", None),
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def painter(page: Page) -> Page:
    """The page with `paint(text, isOpen)` and `grow(pieces)`, which give the HTML that stands then."""
    await page.evaluate(
        """async () => {
            const { Painter } = await import("/web/paint.js");
            window.paint = (text, isOpen = false) => {
                const root = document.createElement("div");
                new Painter(root).show(text, isOpen);
                return root.innerHTML;
            };
            window.grow = (steps) => {
                const root = document.createElement("div");
                const painter = new Painter(root);
                for (const step of steps) painter.show(step, true);
                painter.show(steps.at(-1), false);
                return root.innerHTML;
            };
        }"""
    )
    return page


async def test_markdown_becomes_what_it_means(painter: Page) -> None:
    for text, expected in WHOLE:
        shown = await painter.evaluate("(text) => paint(text)", text)
        if expected is not None:
            assert shown == expected, text


async def test_tables_tasks_and_code_have_their_parts(painter: Page) -> None:
    table = await painter.evaluate("(text) => paint(text)", "| a | b |\n|---|:-:|\n| 1 | `x|y` |\n| 2 |")
    assert '<th scope="col">a</th><th class="to-center" scope="col">b</th>' in table
    assert '<td>1</td><td class="to-center"><code>x|y</code></td>' in table
    assert '<td>2</td><td class="to-center"></td>' in table
    tasks = await painter.evaluate("(text) => paint(text)", "- [ ] open\n- [x] done")
    assert tasks.count("<input") == 2 and tasks.count("checked") == 1 and "disabled" in tasks
    code = await painter.evaluate("(text) => paint(text)", "```py\nif x:\n\ty = '`'\n```\nafter")
    assert "<code>if x:\n\ty = '`'</code>" in code and ">py<" in code and code.endswith("<p>after</p>")


DOCUMENT = """# Title with **bold**

A paragraph with `code`, [a link](https://a.example/x "t"), *emphasis* and https://b.example/y.
A second line \U0001f600 with ***both*** and ~~gone~~ snake_case.

1. first
2. second
   - nested *item*
   - another

   ```js
   const a = `x`;
   ```
3. third

- [x] task
- loose

- list

| a | b |
|---|--:|
| 1 | **2** |
| 3 | 4 |

> quote
> > deeper
lazy

```python
def f(x):
    return "```not closing" + x

~~~
```

---
intro line
h | i
--|--
j | k
#hashtag
last * line _ with odd ** marks [and](brackets"""


@pytest.mark.parametrize("stride", [1, 2, 7, 40])
async def test_a_text_that_grew_looks_like_one_that_came_whole(painter: Page, stride: int) -> None:
    steps = [DOCUMENT[:end] for end in range(1, len(DOCUMENT), stride)] + [DOCUMENT]
    assert await painter.evaluate("(steps) => grow(steps)", steps) == await painter.evaluate(
        "(text) => paint(text)", DOCUMENT
    )


async def test_a_text_that_was_replaced_on_the_way_looks_like_one_that_came_whole(painter: Page) -> None:
    steps = [
        DOCUMENT[: len(DOCUMENT) // 2],
        "Something else\n\n- a\n- b\n\nand",
        DOCUMENT[:200],
        DOCUMENT[:180] + "**",
        DOCUMENT,
    ]
    assert await painter.evaluate("(steps) => grow(steps)", steps) == await painter.evaluate(
        "(text) => paint(text)", DOCUMENT
    )


async def test_marks_that_are_still_open_are_shown_as_what_they_will_be(painter: Page) -> None:
    for text, expected in [
        ("a **bo", "<p>a <strong>bo</strong></p>"),
        ("a **", "<p>a </p>"),
        ("a *it", "<p>a <em>it</em></p>"),
        ("a `co", "<p>a <code>co</code></p>"),
        ("a [text](https://exa", "<p>a text</p>"),
    ]:
        assert await painter.evaluate("(text) => paint(text, true)", text) == expected


async def test_finished_blocks_are_not_touched_again(painter: Page) -> None:
    changes = await painter.evaluate(
        """async (text) => {
            const { Painter } = await import("/web/paint.js");
            const root = document.createElement("div");
            const painter = new Painter(root);
            painter.show(text.slice(0, 200), true);
            const first = root.firstChild;
            let changes = 0;
            const observer = new MutationObserver((records) => { changes += records.length; });
            observer.observe(first, { subtree: true, childList: true, characterData: true, attributes: true });
            for (let end = 201; end <= text.length; end += 3) painter.show(text.slice(0, end), true);
            painter.show(text, false);
            changes += observer.takeRecords().length;
            return [changes, root.firstChild === first];
        }""",
        DOCUMENT,
    )
    assert changes == [0, True]


async def test_long_code_only_grows_at_its_end(painter: Page) -> None:
    """Of 5,000 steps, each may add text; none may build the block anew."""
    built = await painter.evaluate(
        """async () => {
            const { Painter } = await import("/web/paint.js");
            const root = document.createElement("div");
            const painter = new Painter(root);
            let text = "```python\\nx = 1\\n";
            painter.show(text, true);
            const node = root.querySelector("code").firstChild;
            for (let step = 0; step < 5000; step += 1) painter.show((text += `y${step} = ${step}\\n`), true);
            painter.show(`${text}\\`\\`\\`\\n`, false);
            return [root.querySelector("code").firstChild === node, node.data === text.slice(10, -1)];
        }"""
    )
    assert built == [True, True]


HOSTILE = [
    '<img src=x onerror="pwned()">',
    "<script>pwned()</script>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    "<svg/onload=pwned()>",
    "[a](javascript:pwned())",
    "[a](JaVaScRiPt:pwned())",
    "[a](java\nscript:pwned())",
    "[a](\x01javascript:pwned())",
    "[a](&#106;avascript:pwned())",
    "[a](data:text/html,<script>pwned()</script>)",
    "[a](vbscript:pwned())",
    "[a](<javascript:pwned()>)",
    "<javascript:pwned()>",
    '[a](https://x.example/" onmouseover="pwned())',
    '[a](https://x.example "x\\" onmouseover=\\"pwned()")',
    "![a](https://collector.example/canary.png)",
    "![a](javascript:pwned())",
    '```"><img src=x onerror=pwned()>\ncode\n```',
    "```html onload=pwned()\n<script>pwned()</script>\n```",
    "| <img src=x onerror=pwned()> |\n|---|\n| <script>pwned()</script> |",
    "- <details open ontoggle=pwned()>",
    "[<img src=x onerror=pwned()>](https://x.example)",
    "<a href='javascript:pwned()'>x</a>",
    'https://x.example/"onmouseover="pwned()',
    "[x](https://user:pass@x.example/)\u202egnp.exe",
    "{{constructor.constructor('pwned()')()}}",
    "<style>*{background:url(https://collector.example/)}</style>",
    "<meta http-equiv=refresh content='0;url=https://collector.example/'>",
    "<base href=https://collector.example/>",
    "<form action=https://collector.example><button>x</button></form>",
]  # fmt: skip

ALLOWED_TAGS = set(
    "P BR STRONG EM DEL CODE A H3 H4 H5 H6 HR BLOCKQUOTE UL OL LI INPUT DIV PRE SPAN BUTTON SVG USE TABLE THEAD TBODY TR TH TD".split()
)


async def test_nothing_that_a_model_writes_is_more_than_text(painter: Page) -> None:
    asked: list[str] = []
    painter.on("request", lambda request: asked.append(request.url))
    await painter.evaluate("() => { window.hits = 0; window.pwned = () => { window.hits += 1; }; }")
    found = await painter.evaluate(
        """async (texts) => {
            const { Painter } = await import("/web/paint.js");
            const root = document.querySelector("#lines");
            const tags = new Set(), links = [], handlers = [];
            for (const text of texts) {
                const node = root.appendChild(document.createElement("div"));
                const painter = new Painter(node);
                for (let end = 1; end <= text.length; end += 1) painter.show(text.slice(0, end), true);
                painter.show(text, false);
                for (const one of node.querySelectorAll("*")) {
                    tags.add(one.tagName.toUpperCase());
                    if (one.href && typeof one.href === "string") links.push(one.href);
                    for (const { name } of one.attributes) if (name.startsWith("on") || name === "style") handlers.push(name);
                    one.dispatchEvent(new Event("mouseover"));
                }
            }
            return { tags: [...tags], links, handlers };
        }""",
        HOSTILE,
    )
    assert set(found["tags"]) <= ALLOWED_TAGS
    assert found["handlers"] == []
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in found["links"])
    assert await painter.evaluate("() => window.hits") == 0
    assert not [url for url in asked if "127.0.0.1" not in url], "nothing a model names is fetched"


async def test_colours_leave_the_code_as_it_is(painter: Page) -> None:
    codes = [
        'x = \'a\' # b\n"""open',
        "/* <b> */ let a = `${1}`;",
        "SELECT 1 -- no",
        "'",
        '"\\',
        "<!-- x",
        "\u2028\ud83d",
        "a" * 50_000,
    ]
    codes += HOSTILE
    shown = await painter.evaluate(
        """async (codes) => {
            const { highlight } = await import("/web/highlight.js");
            const { paintBlock } = await import("/web/paint.js");
            const out = [];
            for (const text of codes) {
                for (const lang of ["", "python", "js", "sql", "html", "css", "text", "<img>"]) {
                    const node = paintBlock({ t: "code", lang, text, isClosed: true });
                    highlight(node);
                    const code = node.querySelector("code");
                    const isSame = code.textContent === text;
                    out.push(isSame && [...code.querySelectorAll("*")].every((one) => one.tagName === "SPAN"));
                }
            }
            return out;
        }""",
        codes,
    )
    assert shown and all(shown)


async def test_words_numbers_strings_and_comments_are_told_apart(painter: Page) -> None:
    html = await painter.evaluate(
        """async () => {
            const { highlight } = await import("/web/highlight.js");
            const { paintBlock } = await import("/web/paint.js");
            const node = paintBlock({ t: "code", lang: "python", text: "return 'x' if n > 10 else None  # why", isClosed: true });
            highlight(node);
            return node.querySelector("code").innerHTML;
        }"""
    )
    assert html == (
        '<span class="c-word">return</span> <span class="c-string">\'x\'</span> <span class="c-word">if</span> n &gt; '
        '<span class="c-number">10</span> <span class="c-word">else</span> <span class="c-word">None</span>  '
        '<span class="c-comment"># why</span>'
    )


HUGE = {
    "stars": "*" * 50_000,
    "stars and letters": "*a " * 30_000,
    "closing stars": "a* " * 30_000,
    "mixed runs": "**a *b " * 15_000,
    "underscores": "_a_" * 30_000,
    "backticks": "".join("`" * (n % 60 + 1) + "a" for n in range(3_000)),
    "open brackets": "[" * 100_000,
    "brackets": "[]" * 50_000,
    "half links": "[a](" * 25_000,
    "links in links": "[" * 5_000 + "a" + "](https://a.example)" * 5_000,
    "angles": "<" * 100_000,
    "entities": "&" * 100_000,
    "quotes": ">" * 50_000,
    "nested lists": "\n".join(" " * (2 * n) + "- a" for n in range(300)),
    "heading marks": "# " + "#" * 100_000 + " x",
    "heading spaces": "#" + " " * 100_000 + "x",
    "rule": "- " * 50_000 + "x",
    "delimiter": "a|b\n" + "-|" * 50_000 + "x",
    "spaces": " " * 100_000 + "x",
    "blank lines": "\n" * 100_000,
    "urls": "http://" * 15_000,
    "escapes": "\\" * 100_000,
    "tilde": "~~a " * 25_000,
    "fences": "```\n" * 25_000,
    "table": "|" * 100_000,
    "one word": "x" * 100_000,
}


@pytest.mark.slow
async def test_no_text_makes_the_page_hang(painter: Page) -> None:
    """A hundred thousand characters built to be slow; quadratic work would run into the test's own deadline."""
    for name, text in HUGE.items():
        assert await painter.evaluate("(text) => paint(text).length > 0 || text.trim() === ''", text), name
