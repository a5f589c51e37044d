// Colours for finished code: comments, strings, numbers and the words that most languages share.
//
// No grammar of any language: five patterns that are right nearly always and harmless when they are not.
// The text stays the same, only spans are put around parts of it.

import { el } from "./paint.js";

const LONGEST = 40_000;
const PLAIN = new Set(["", "text", "txt", "plain", "plaintext", "console", "log", "output", "md", "markdown"]);
const HASH = new Set(["py", "python", "rb", "ruby", "sh", "bash", "zsh", "shell", "yaml", "yml", "toml", "ini", "conf", "r", "perl", "make", "makefile", "dockerfile", "nix", "elixir"]);
const DASH = new Set(["sql", "lua", "haskell", "hs", "ada", "elm"]);
const WORDS =
  "abstract and as assert async await begin break case catch class const continue def default defer del do elif else " +
  "end enum except export extends extern false final finally fn for foreach from func function global go goto if impl " +
  "implements import in include interface is lambda let loop match mod module move mut new nil none nonlocal not null of " +
  "or override package pass private protected pub public raise ref require return self select set static struct super " +
  "switch then this throw throws trait true try type typeof undefined union unless unsafe until use using val var virtual " +
  "void when where while with yield " +
  "create table insert into values update delete order group by having join left right inner outer on limit";
const KEYWORDS = new Set(WORDS.split(" "));

function patternFor(language) {
  const comments = [];
  if (HASH.has(language)) comments.push("#[^\\n]*");
  else if (DASH.has(language)) comments.push("--[^\\n]*");
  else comments.push("\\/\\/[^\\n]*", "\\/\\*[^]*?(?:\\*\\/|$)");
  if (language === "html" || language === "xml") comments.splice(0, 2, "<!--[^]*?(?:-->|$)");
  if (language === "css" || language === "json") comments.shift();
  const strings = ['"""[^]*?(?:"""|$)', "'''[^]*?(?:'''|$)", '"(?:[^"\\\\\\n]|\\\\.)*"?', "'(?:[^'\\\\\\n]|\\\\.)*'", "`(?:[^`\\\\]|\\\\[^])*`?"];
  const parts = [`(?<comment>${comments.join("|")})`, `(?<string>${strings.join("|")})`, "(?<number>\\b\\d[\\w.]*)", "(?<word>[A-Za-z_$@][\\w$]*)"];
  return new RegExp(parts.join("|"), "g");
}

/** Colour the code in this block's node, if it is worth it. */
export function highlight(node) {
  const code = node.querySelector?.(":scope > pre > code");
  const language = node.dataset?.lang?.toLowerCase() ?? "";
  if (!code || PLAIN.has(language)) return;
  const text = code.textContent;
  if (text.length > LONGEST) return;
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(patternFor(language))) {
    const kind = kindOf(found.groups, language);
    if (!kind || found[0] === "") continue;
    parts.push(text.slice(at, found.index), el("span", { class: `c-${kind}` }, found[0]));
    at = found.index + found[0].length;
  }
  code.replaceChildren(...parts.filter((part) => part !== ""), text.slice(at));
}

function kindOf(groups, language) {
  if (groups.word === undefined) return Object.keys(groups).find((name) => groups[name] !== undefined);
  const word = language === "sql" ? groups.word.toLowerCase() : groups.word;
  return KEYWORDS.has(word) || ["True", "False", "None"].includes(word) ? "word" : null;
}
