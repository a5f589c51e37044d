// Inline Markdown -> a small tree of plain values. Knows nothing of the DOM.
//
// Nodes: {t: "text", v}, {t: "code", v}, {t: "br"}, {t: "em" | "strong" | "del", c: [...]},
// {t: "link", href, title, c: [...]}. Images become links: nothing is loaded that a model names.
// HTML is text. Every scan is bounded, so that no text costs more than about its length.

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const SPECIAL = /[\\`*_~[\]!<&\nhH]/g;
const BARE_URL = /https?:\/\/[^\s<>"`\u0000-\u001f]{1,2000}/iy;
const ANGLE_URL = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/iy;
const ENTITY = /&(?:(amp|lt|gt|quot|apos|nbsp)|#(\d{1,7})|#x([0-9a-f]{1,6}));/iy;
const TARGET = /\(\s*(?:<([^<>\n]{0,2000})>|((?:[^\s()\\]|\\.|\([^\s()]{0,500}\)){0,2000}))(?:\s+(?:"([^"\n]{0,500})"|'([^'\n]{0,500})'))?\s*\)/y;
const OPEN_TARGET = /\([^\n()]{0,2000}$/y;
const SPACE = /\s/;
const PUNCTUATION = /[\p{P}\p{S}]/u;

/** The tree of one paragraph. `isOpen`: the text still grows, so what is open at its end is shown as closed. */
export function parseInline(text, isOpen = false) {
  return new Scanner(text, isOpen).run();
}

/** The address if it is one that a person may be sent to, else null. */
export function safeHref(raw) {
  const href = raw.trim();
  if (!/^(?:https?:\/\/|mailto:)/i.test(href)) return null;
  try {
    return new URL(href).href;
  } catch {
    return null;
  }
}

class Scanner {
  constructor(text, isOpen) {
    this.text = text;
    this.isOpen = isOpen;
    this.at = 0;
    this.nodes = []; // flat: nodes and delimiter runs
    this.brackets = []; // places in `nodes` where a "[" waits for its "]"
    this.noCloser = new Map(); // length of a run of backticks -> no closing one from there on
  }

  run() {
    const { text } = this;
    while (this.at < text.length) {
      SPECIAL.lastIndex = this.at;
      const found = SPECIAL.exec(text);
      if (!found) break;
      if (found.index > this.at) this.put(text.slice(this.at, found.index));
      this.at = found.index;
      this.special(text[this.at]);
    }
    if (this.at < text.length) this.put(text.slice(this.at));
    return merge(emphasize(this.nodes, this.isOpen));
  }

  put(value) {
    this.nodes.push({ t: "text", v: value });
  }

  literal(length = 1) {
    this.put(this.text.slice(this.at, this.at + length));
    this.at += length;
  }

  match(pattern, at = this.at) {
    pattern.lastIndex = at;
    return pattern.exec(this.text);
  }

  special(char) {
    if (char === "\\") this.escape();
    else if (char === "`") this.code();
    else if (char === "*" || char === "_" || char === "~") this.run_of(char);
    else if (char === "[" || char === "!") this.openBracket(char);
    else if (char === "]") this.closeBracket();
    else if (char === "<") this.angle();
    else if (char === "&") this.entity();
    else if (char === "\n") this.lineEnd();
    else this.bareUrl();
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === "\n") {
      this.at += 1;
    } else if (next !== undefined && /[!-/:-@[-`{-~]/.test(next)) {
      this.put(next);
      this.at += 2;
    } else {
      this.literal();
    }
  }

  code() {
    const { text } = this;
    let end = this.at;
    while (text[end] === "`") end += 1;
    const run = text.slice(this.at, end);
    const close = this.noCloser.get(run.length) <= end ? -1 : closingRun(text, run, end);
    if (close >= 0) {
      this.nodes.push({ t: "code", v: trimCode(text.slice(end, close)) });
      this.at = close + run.length;
    } else if (this.isOpen && end < text.length && run.length < 3 && !text.slice(end).includes("`")) {
      this.nodes.push({ t: "code", v: text.slice(end) });
      this.at = text.length;
    } else {
      if (!this.noCloser.has(run.length)) this.noCloser.set(run.length, end);
      this.literal(run.length);
    }
  }

  run_of(char) {
    const { text } = this;
    let end = this.at;
    while (text[end] === char) end += 1;
    const length = end - this.at;
    if (char === "~" && length !== 2) {
      this.literal(length);
      return;
    }
    const before = this.at === 0 ? "\n" : charBefore(text, this.at);
    const after = end >= text.length ? "\n" : String.fromCodePoint(text.codePointAt(end));
    const left = !SPACE.test(after) && (!PUNCTUATION.test(after) || SPACE.test(before) || PUNCTUATION.test(before));
    const right = !SPACE.test(before) && (!PUNCTUATION.test(before) || SPACE.test(after) || PUNCTUATION.test(after));
    const isWordy = char === "_";
    this.nodes.push({
      t: "run",
      char,
      length,
      size: length,
      opens: left && (!isWordy || !right || PUNCTUATION.test(before)),
      closes: right && (!isWordy || !left || PUNCTUATION.test(after)),
    });
    this.at = end;
  }

  openBracket(char) {
    const isImage = char === "!";
    if (isImage && this.text[this.at + 1] !== "[") {
      this.literal();
      return;
    }
    this.brackets.push({ place: this.nodes.length, isImage });
    this.literal(isImage ? 2 : 1);
  }

  closeBracket() {
    const opener = this.brackets.pop();
    if (!opener) {
      this.literal();
      return;
    }
    const target = this.match(TARGET, this.at + 1);
    const isCut = !target && this.isOpen && this.match(OPEN_TARGET, this.at + 1);
    if (!target && !isCut) {
      this.literal();
      return;
    }
    const label = merge(emphasize(this.nodes.splice(opener.place).slice(1), false));
    this.at = isCut ? this.text.length : TARGET.lastIndex;
    const href = target && safeHref((target[1] ?? target[2]).replace(/\\([!-/:-@[-`{-~])/g, "$1"));
    const shown = label.length > 0 ? label : [{ t: "text", v: opener.isImage ? "image" : href ?? "" }];
    if (href) {
      this.nodes.push({ t: "link", href, title: target[3] ?? target[4] ?? "", c: plainLinks(shown) });
      if (!opener.isImage) this.brackets = []; // no links in links
    } else {
      this.nodes.push(...shown);
    }
  }

  angle() {
    const found = this.match(ANGLE_URL);
    const href = found && safeHref(found[1]);
    if (!href) {
      this.literal();
      return;
    }
    this.nodes.push({ t: "link", href, title: "", c: [{ t: "text", v: found[1] }] });
    this.at = ANGLE_URL.lastIndex;
  }

  entity() {
    const found = this.match(ENTITY);
    const code = found && (found[2] ? Number(found[2]) : found[3] ? parseInt(found[3], 16) : 0);
    if (!found || (code && (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)))) {
      this.literal();
      return;
    }
    this.put(found[1] ? ENTITIES[found[1].toLowerCase()] : String.fromCodePoint(code || 0xfffd));
    this.at += found[0].length;
  }

  lineEnd() {
    const last = this.nodes.at(-1);
    if (last?.t === "text") last.v = last.v.replace(/ +$/, "");
    this.nodes.push({ t: "br" });
    this.at += 1;
    while (this.text[this.at] === " ") this.at += 1;
  }

  bareUrl() {
    const before = this.at === 0 ? " " : this.text[this.at - 1];
    const found = /[\p{L}\p{N}_]/u.test(before) ? null : this.match(BARE_URL);
    const shown = found && trimUrl(found[0]);
    const href = shown && safeHref(shown);
    if (!href) {
      this.literal();
      return;
    }
    this.nodes.push({ t: "link", href, title: "", c: [{ t: "text", v: shown }] });
    this.at += shown.length;
  }
}

function charBefore(text, at) {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low < 0xe000 && at > 1 ? String.fromCodePoint(text.codePointAt(at - 2)) : text[at - 1];
}

function closingRun(text, run, from) {
  let at = text.indexOf(run, from);
  while (at >= 0) {
    let end = at + run.length;
    if (text[end] !== "`") return at;
    while (text[end] === "`") end += 1;
    at = text.indexOf(run, end);
  }
  return -1;
}

function trimCode(value) {
  const flat = value.replace(/\n/g, " ");
  return flat.length > 2 && flat.startsWith(" ") && flat.endsWith(" ") && flat.trim() ? flat.slice(1, -1) : flat;
}

/** Without the punctuation that ends the sentence rather than the address. */
function trimUrl(url) {
  let end = url.length;
  for (;;) {
    const last = url[end - 1];
    if (/[.,;:!?*_~'\]]/.test(last)) {
      end -= 1;
    } else if (last === ")" && count(url, ")", end) > count(url, "(", end)) {
      end -= 1;
    } else {
      return url.slice(0, end);
    }
  }
}

function count(text, char, end) {
  let found = 0;
  for (let at = 0; at < end; at += 1) if (text[at] === char) found += 1;
  return found;
}

/** CommonMark's rule for * and _: every closing run looks back for the nearest run that can open it. */
function emphasize(nodes, isOpen) {
  const out = [];
  const openers = []; // places in `out`
  const bottoms = new Map(); // kind of closer -> nothing below this place opens it
  for (const node of nodes) {
    if (node.t !== "run") {
      out.push(node);
      continue;
    }
    if (node.closes) close(node, out, openers, bottoms);
    if (node.length > 0) {
      if (node.opens) openers.push(out.length);
      out.push(node);
    }
  }
  if (isOpen) closeAtEnd(out, openers);
  return out.map((node) => (node.t === "run" ? { t: "text", v: node.char.repeat(node.length) } : node));
}

function close(closer, out, openers, bottoms) {
  while (closer.length > 0) {
    const kind = `${closer.char}${closer.opens}${closer.size % 3}`;
    const bottom = bottoms.get(kind) ?? 0;
    let place = openers.length - 1;
    while (place >= bottom && !fits(out[openers[place]], closer)) place -= 1;
    if (place < bottom) {
      bottoms.set(kind, openers.length);
      return;
    }
    const at = openers[place];
    const opener = out[at];
    const used = opener.length >= 2 && closer.length >= 2 ? 2 : 1;
    opener.length -= used;
    closer.length -= used;
    wrap(out, at, tagOf(closer.char, used));
    openers.length = opener.length > 0 ? place + 1 : place;
    if (opener.length === 0) out.splice(at, 1);
    for (const [name, value] of bottoms) if (value > openers.length) bottoms.set(name, openers.length);
  }
}

function fits(opener, closer) {
  if (opener.char !== closer.char) return false;
  const isBoth = (opener.closes || closer.opens) && (opener.size + closer.size) % 3 === 0;
  return !isBoth || (opener.size % 3 === 0 && closer.size % 3 === 0);
}

function wrap(out, at, tag) {
  const inside = out.splice(at + 1).map((node) => (node.t === "run" ? { t: "text", v: node.char.repeat(node.length) } : node));
  out.push({ t: tag, c: inside });
}

function tagOf(char, used) {
  if (char === "~") return "del";
  return used === 2 ? "strong" : "em";
}

/** The text is still growing: what has been opened will be closed, so it is shown so already. */
function closeAtEnd(out, openers) {
  if (out.at(-1)?.t === "run" && openers.at(-1) !== out.length - 1) out.pop(); // it may become an opener yet
  for (const at of openers.reverse()) {
    const { char, length } = out[at];
    if (at === out.length - 1) {
      out.splice(at, 1); // nothing follows yet: the stars themselves are not shown
    } else if (length <= 3) {
      wrap(out, at, tagOf(char, Math.min(length, 2)));
      if (length === 3) out.push({ t: "em", c: [out.pop()] });
      out.splice(at, 1);
    }
  }
}

function plainLinks(nodes) {
  return nodes.flatMap((node) => {
    if (node.t === "link") return plainLinks(node.c);
    return node.c ? [{ ...node, c: plainLinks(node.c) }] : [node];
  });
}

function merge(nodes) {
  const out = [];
  for (const node of nodes) {
    const last = out.at(-1);
    if (node.t === "text" && last?.t === "text") last.v += node.v;
    else out.push(node.c ? { ...node, c: merge(node.c) } : { ...node });
  }
  return out;
}
