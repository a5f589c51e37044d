// Block Markdown -> a list of blocks. Knows nothing of the DOM.
//
// Blocks: {t: "p" | "h", text, level}, {t: "code", lang, text, isClosed}, {t: "hr"},
// {t: "quote", c: [blocks]}, {t: "list", first (null = bullets), isLoose, items: [{c: [blocks], done}]},
// {t: "table", align, head: [text], rows: [[text]]}. Each top block has `start`, its offset in the text.
// Left out on purpose: indented code, underlined headings, HTML, reference links.

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?=\s|$)/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:([ \t]{1,4})(?![ \t])|([ \t]+)|$)/;
const DELIMITER = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const TASK = /^\[([ xX])\]\s+/;
const MAX_DEPTH = 12;

/** The blocks of `text`, in order. */
export function parseBlocks(text) {
  return blocksOf(linesOf(text), 0);
}

function linesOf(text) {
  const lines = [];
  let at = 0;
  for (const line of text.split("\n")) {
    lines.push({ text: line, start: at });
    at += line.length + 1;
  }
  return lines;
}

function blocksOf(lines, depth) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const [block, next] = blockAt(lines, at, depth);
    block.start = lines[at].start;
    blocks.push(block);
    at = next;
  }
  return blocks;
}

function blockAt(lines, at, depth) {
  const line = lines[at].text;
  const fence = FENCE.exec(line);
  if (fence) return codeAt(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ t: "h", level: heading[1].length, text: headingText(line.slice(heading[0].length)) }, at + 1];
  if (RULE.test(line)) return [{ t: "hr" }, at + 1];
  if (depth < MAX_DEPTH && QUOTE.test(line)) return quoteAt(lines, at, depth);
  if (depth < MAX_DEPTH && ITEM.test(line)) return listAt(lines, at, depth);
  if (isTableAt(lines, at)) return tableAt(lines, at);
  return paragraphAt(lines, at, depth);
}

function headingText(rest) {
  const text = rest.trim();
  let end = text.length;
  while (end > 0 && text[end - 1] === "#") end -= 1;
  return end === 0 || text[end - 1] === " " ? text.slice(0, end).trimEnd() : text;
}

function isBlank(line) {
  return line.text.trim() === "";
}

function codeAt(lines, at, fence) {
  const [, indent, marks, info] = fence;
  const closing = new RegExp(`^ {0,3}${marks[0] === "~" ? "~" : "`"}{${marks.length},}\\s*$`);
  const body = [];
  let next = at + 1;
  while (next < lines.length && !closing.test(lines[next].text)) {
    body.push(dedent(lines[next].text, indent.length));
    next += 1;
  }
  const isClosed = next < lines.length;
  const lang = info.trim().split(/\s+/)[0].slice(0, 40);
  const block = { t: "code", lang, text: body.join("\n"), isClosed, indent: indent.length };
  return [block, isClosed ? next + 1 : next];
}

function dedent(text, width) {
  let cut = 0;
  for (let column = 0; column < width && (text[cut] === " " || text[cut] === "\t"); cut += 1) {
    column += text[cut] === "\t" ? 4 : 1;
  }
  return text.slice(cut);
}

function indentOf(text) {
  let column = 0;
  for (const char of text) {
    if (char !== " " && char !== "\t") break;
    column += char === "\t" ? 4 : 1;
  }
  return column;
}

function quoteAt(lines, at, depth) {
  const inner = [];
  let next = at;
  while (next < lines.length && !isBlank(lines[next])) {
    const { text, start } = lines[next];
    if (!QUOTE.test(text) && (startsBlock(text) || !isText(inner.at(-1)))) break;
    inner.push({ text: text.replace(QUOTE, ""), start });
    next += 1;
  }
  return [{ t: "quote", c: blocksOf(inner, depth + 1) }, next];
}

function isText(line) {
  return line !== undefined && !isBlank(line) && !startsBlock(line.text);
}

function startsBlock(text) {
  return FENCE.test(text) || HEADING.test(text) || RULE.test(text) || QUOTE.test(text) || ITEM.test(text);
}

function markerOf(text) {
  const found = RULE.test(text) ? null : ITEM.exec(text);
  if (!found) return null;
  const [whole, indent, mark, spaces] = found;
  const kind = /\d/.test(mark) ? mark.at(-1) : mark;
  // Five and more spaces would begin indented code, which is not known here: one belongs to the marker.
  const width = indent.length + mark.length + (spaces ? spaces.length : 1);
  return { kind, width, indent: indent.length, number: /\d/.test(mark) ? parseInt(mark, 10) : null, rest: text.slice(Math.min(width, whole.length + 4)) };
}

function listAt(lines, at, depth) {
  const first = markerOf(lines[at].text);
  const items = [];
  let isLoose = false;
  let next = at;
  while (next < lines.length) {
    const marker = markerOf(lines[next].text);
    if (!marker || marker.kind !== first.kind) break;
    const [item, after, blanks] = itemAt(lines, next, marker, depth);
    items.push(item);
    const follows = after < lines.length && markerOf(lines[after].text)?.kind === first.kind;
    if ((blanks > 0 && follows) || item.isLoose) isLoose = true;
    next = after;
  }
  return [{ t: "list", first: first.number, isLoose, items }, next];
}

function itemAt(lines, at, marker, depth) {
  const inner = [{ text: marker.rest, start: lines[at].start }];
  let next = at + 1;
  let blanks = 0;
  while (next < lines.length) {
    const line = lines[next];
    const indent = indentOf(line.text);
    if (isBlank(line)) {
      blanks += 1;
    } else if (indent >= Math.min(marker.width, marker.indent + 2)) {
      pushBlanks(inner, blanks, line.start);
      blanks = 0;
      inner.push({ text: dedent(line.text, marker.width), start: line.start });
    } else if (blanks === 0 && !startsBlock(line.text) && isText(inner.at(-1))) {
      inner.push(line); // a lazy line of the paragraph
    } else {
      break;
    }
    next += 1;
  }
  const task = TASK.exec(inner[0].text);
  if (task) inner[0].text = inner[0].text.slice(task[0].length);
  const blocks = blocksOf(inner, depth + 1);
  const isLoose = inner.some((line, place) => place > 0 && isBlank(line)) && blocks.filter((block) => block.t === "p").length > 1;
  return [{ c: blocks, done: task ? task[1] !== " " : null, isLoose }, next, blanks];
}

function pushBlanks(inner, blanks, start) {
  for (let count = 0; count < blanks; count += 1) inner.push({ text: "", start });
}

function isTableAt(lines, at) {
  const head = lines[at].text;
  const under = lines[at + 1]?.text;
  if (under === undefined || under.length > 2000 || !head.includes("|") || !under.includes("-") || !DELIMITER.test(under)) return false;
  return cells(head).length === cells(under).length;
}

function tableAt(lines, at) {
  const head = cells(lines[at].text);
  const align = cells(lines[at + 1].text).map((cell) => {
    if (cell.endsWith(":")) return cell.startsWith(":") ? "center" : "right";
    return cell.startsWith(":") ? "left" : "";
  });
  const rows = [];
  let next = at + 2;
  while (next < lines.length && !isBlank(lines[next]) && !startsBlock(lines[next].text)) {
    const row = cells(lines[next].text).slice(0, head.length);
    while (row.length < head.length) row.push("");
    rows.push(row);
    next += 1;
  }
  return [{ t: "table", align, head, rows }, next];
}

/** The cells of a row; a "|" after a backslash or within `code` does not part them. */
function cells(row) {
  const found = [];
  let cell = "";
  let ticks = false;
  const trimmed = row.trim().replace(/^\|/, "");
  for (let at = 0; at < trimmed.length; at += 1) {
    const char = trimmed[at];
    if (char === "\\" && trimmed[at + 1] === "|") {
      cell += "|";
      at += 1;
    } else if (char === "|" && !ticks) {
      found.push(cell.trim());
      cell = "";
    } else {
      if (char === "`") ticks = !ticks && trimmed.indexOf("`", at + 1) >= 0;
      cell += char;
    }
  }
  if (cell.trim() !== "" || !trimmed.endsWith("|")) found.push(cell.trim());
  return found;
}

function paragraphAt(lines, at, depth) {
  const body = [lines[at].text.trim()];
  let next = at + 1;
  while (next < lines.length && !isBlank(lines[next])) {
    const { text } = lines[next];
    // A number other than 1 in the middle of a sentence begins no list.
    const isNumber = /^ {0,3}\d{1,9}[.)]/.test(text) && !/^ {0,3}1[.)]\s/.test(text);
    if ((startsBlock(text) && !isNumber) || isTableAt(lines, next)) break;
    body.push(text.trim());
    next += 1;
  }
  return [{ t: "p", text: body.join("\n") }, next];
}
