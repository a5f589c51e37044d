// Blocks -> DOM, and a painter that keeps up with a growing text.
//
// Nothing here parses HTML: every node is created by name and every text is a text node, so what a model
// writes can only ever be read.

import { parseBlocks } from "./blocks.js";
import { parseInline } from "./inline.js";
import { words } from "./words.js";

/** An element with attributes and children; strings become text nodes. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** One of the icons that index.html defines. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** The DOM of one block. `isOpen`: the text still grows and this is where. */
export function paintBlock(block, isOpen = false) {
  switch (block.t) {
    case "p":
      return el("p", {}, ...paintInline(block.text, isOpen));
    case "h":
      // A message never outranks the page's own headings.
      return el(`h${Math.min(block.level + 2, 6)}`, { class: `h${block.level}` }, ...paintInline(block.text, isOpen));
    case "hr":
      return el("hr");
    case "quote":
      return el("blockquote", {}, ...paintAll(block.c, isOpen));
    case "code":
      return paintCode(block);
    case "list":
      return paintList(block, isOpen);
    case "table":
      return paintTable(block, isOpen);
    default:
      throw new Error(`unknown block ${block.t}`);
  }
}

function paintAll(blocks, isOpen) {
  return blocks.map((block, place) => paintBlock(block, isOpen && place === blocks.length - 1));
}

function paintInline(text, isOpen) {
  return parseInline(text, isOpen).map(paintNode);
}

function paintNode(node) {
  if (node.t === "text") return document.createTextNode(node.v);
  if (node.t === "code") return el("code", {}, node.v);
  if (node.t === "link") {
    const attributes = { href: node.href, rel: "noopener noreferrer nofollow", target: "_blank", title: node.title || null };
    return el("a", attributes, ...node.c.map(paintNode));
  }
  return el(node.t, {}, ...(node.c ?? []).map(paintNode));
}

function paintCode(block) {
  const copy = el("button", { type: "button", class: "copy", "data-copy": "code" }, icon("copy"), el("span", {}, words.copy));
  const head = el("div", { class: "code-head" }, el("span", { class: "lang" }, block.lang || words.code), copy);
  const label = block.lang ? words.codeIn(block.lang) : words.code;
  const body = el("pre", { tabindex: "0", "aria-label": label }, el("code", {}, document.createTextNode(block.text)));
  return el("div", { class: "code-block", role: "group", "aria-label": label, "data-lang": block.lang }, head, body);
}

function paintList(block, isOpen) {
  const items = block.items.map((item, place) => paintItem(item, block.isLoose, isOpen && place === block.items.length - 1));
  if (block.first === null) return el("ul", {}, ...items);
  return el("ol", { start: block.first === 1 ? null : String(block.first) }, ...items);
}

function paintItem(item, isLoose, isOpen) {
  const children = item.c.flatMap((child, place) => {
    const isLast = isOpen && place === item.c.length - 1;
    return !isLoose && child.t === "p" ? paintInline(child.text, isLast) : [paintBlock(child, isLast)];
  });
  if (item.done === null) return el("li", {}, ...children);
  const box = el("input", { type: "checkbox", disabled: true, checked: item.done, "aria-label": item.done ? words.done : words.open });
  return el("li", { class: "task" }, box, ...children);
}

function paintTable(block, isOpen) {
  const row = (cells, name, isLast) =>
    el("tr", {}, ...cells.map((cell, place) => {
      const attributes = { class: block.align[place] ? `to-${block.align[place]}` : null, scope: name === "th" ? "col" : null };
      return el(name, attributes, ...paintInline(cell, isLast));
    }));
  const body = block.rows.map((cells, place) => row(cells, "td", isOpen && place === block.rows.length - 1));
  const table = el("table", {}, el("thead", {}, row(block.head, "th", false)), el("tbody", {}, ...body));
  return el("div", { class: "table", tabindex: "0", role: "group", "aria-label": words.table }, table);
}

/**
 * Keeps `root` showing a text that grows. Blocks that can no longer change are painted once; only what
 * comes after them is parsed again, and of that only the nodes that differ are touched.
 */
export class Painter {
  constructor(root, onBlock = () => {}) {
    this.root = root;
    this.onBlock = onBlock; // called with every block's node once it is final
    this.text = "";
    this.base = 0; // where the part begins that may still change
    this.live = []; // its nodes
    this.kept = []; // where each final block ends and its node, to go back when the text is replaced
    this.tail = null; // the one live block, as parsed
    this.isDone = false;
  }

  /** Show `text`; `isOpen` while more may come. */
  show(text, isOpen) {
    if (this.isDone && !isOpen && text === this.text) return;
    if (isOpen && this.appendCode(text)) return;
    if (!text.startsWith(this.text)) this.goBack(text);
    this.text = text;
    this.isDone = !isOpen;
    const blocks = parseBlocks(text.slice(this.base));
    this.patch(blocks, isOpen);
    this.settle(blocks, text, isOpen);
  }

  /** Much code comes fast, and it changes nothing but the end of one text node. */
  appendCode(text) {
    const { tail } = this;
    if (tail?.t !== "code" || tail.isClosed || !text.startsWith(this.text)) return false;
    const more = text.slice(this.text.length);
    const lineStart = this.text.lastIndexOf("\n") + 1;
    if (/[`~\t]/.test(more) || /[`~]/.test(this.text.slice(lineStart)) || tail.indent || tail.text === "") return false;
    const node = this.live[0].querySelector("pre > code").firstChild;
    node.appendData(more);
    tail.text += more;
    this.text = text;
    return true;
  }

  /** The text was replaced: what no longer begins it may change again, and so may the block before that. */
  goBack(text) {
    for (let isSame = false; this.kept.length > 0 && !isSame; ) {
      isSame = text.startsWith(this.text.slice(0, this.base));
      this.live.unshift(this.kept.pop().node);
      this.base = this.kept.at(-1)?.end ?? 0;
    }
  }

  patch(blocks, isOpen) {
    const fresh = blocks.map((block, place) => paintBlock(block, isOpen && place === blocks.length - 1));
    this.live = reconcile(this.root, this.live, fresh);
  }

  /** What stands before the last block that a whole line began cannot change any more. */
  settle(blocks, text, isOpen) {
    const lastLine = text.lastIndexOf("\n") + 1 - this.base;
    const from = this.base;
    let keep = 0;
    while (keep + 1 < blocks.length && blocks[keep + 1].start < lastLine) keep += 1;
    for (let place = 0; place < keep; place += 1) {
      this.base = from + blocks[place + 1].start;
      this.kept.push({ end: this.base, node: this.live.shift() });
      this.onBlock(this.kept.at(-1).node);
    }
    if (!isOpen) this.live.forEach((node) => this.onBlock(node));
    this.tail = isOpen && keep === blocks.length - 1 ? blocks[keep] : null;
  }
}

/** Make the nodes at the end of `parent` equal to `fresh`, keeping those that are equal; returns what stands. */
function reconcile(parent, old, fresh) {
  const stands = fresh.map((node, place) => {
    const was = old[place];
    if (was === undefined) {
      parent.append(node);
      return node;
    }
    return morph(was, node);
  });
  for (const surplus of old.slice(fresh.length)) surplus.remove();
  return stands;
}

function morph(was, node) {
  if (was.isEqualNode(node)) return was;
  if (was.nodeType === Node.TEXT_NODE && node.nodeType === Node.TEXT_NODE) {
    if (node.data.startsWith(was.data)) was.appendData(node.data.slice(was.data.length));
    else was.data = node.data;
    return was;
  }
  if (was.nodeName !== node.nodeName || was.nodeType !== Node.ELEMENT_NODE || !hasSameAttributes(was, node)) {
    was.replaceWith(node);
    return node;
  }
  reconcile(was, [...was.childNodes], [...node.childNodes]);
  return was;
}

function hasSameAttributes(a, b) {
  return a.attributes.length === b.attributes.length && [...a.attributes].every((one) => b.getAttribute(one.name) === one.value);
}
