// What this browser remembers: the list of conversations, messages not yet taken over, the theme.
// Everything is bounded, and everything works (for this visit) where storage is switched off.

const MAX_CONVERSATIONS = 200;
const MAX_UNSENT = 100;
const HOUR = 3600_000;
const memory = new Map();

function read(name, otherwise) {
  try {
    const stored = localStorage.getItem(`firstword.${name}`);
    return stored === null ? (memory.get(name) ?? otherwise) : JSON.parse(stored);
  } catch {
    return memory.get(name) ?? otherwise;
  }
}

function write(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`firstword.${name}`, JSON.stringify(value));
  } catch {
    // Full or forbidden: it lives as long as this page does.
  }
}

/** An id that nobody can guess; randomUUID would need a secure context, which a LAN address is not. */
export function newId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const isId = (value) => /^[A-Za-z0-9_-]{8,64}$/.test(value);

export function conversations() {
  const list = read("conversations", []);
  return Array.isArray(list) ? list.filter((one) => one && isId(one.id)) : [];
}

/** The conversation was used: it moves to the top. The first words become its title. */
export function touchConversation(id, title = "") {
  const list = conversations();
  const was = list.find((one) => one.id === id);
  const entry = { id, title: was?.title || title, at: Date.now() };
  write("conversations", [entry, ...list.filter((one) => one.id !== id)].slice(0, MAX_CONVERSATIONS));
}

/** It is in the list and has a title; its place stays. */
export function nameConversation(id, title) {
  const list = conversations();
  const was = list.find((one) => one.id === id);
  if (!was) touchConversation(id, title);
  else if (!was.title) write("conversations", list.map((one) => (one.id === id ? { ...one, title } : one)));
}

export function removeConversation(id) {
  write("conversations", conversations().filter((one) => one.id !== id));
}

export const lastConversation = () => read("last", null);
export const setLastConversation = (id) => write("last", id);

/** Messages on their way: {id, c, text, at, said}. `said`: taken over, but not yet seen in the history. */
export function unsent() {
  const list = read("unsent", []);
  return Array.isArray(list) ? list.filter((one) => Date.now() - one.at < (one.said ? HOUR : 24 * HOUR)) : [];
}

export function keepUnsent(message) {
  write("unsent", [...unsent(), message].slice(-MAX_UNSENT));
}

export function markSaid(id) {
  write("unsent", unsent().map((one) => (one.id === id ? { ...one, said: true } : one)));
}

export function dropUnsent(id) {
  write("unsent", unsent().filter((one) => one.id !== id));
}

export const theme = () => read("theme-choice", "system");

/** theme.js reads the plain name before the first paint. */
export function setTheme(choice) {
  write("theme-choice", choice);
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    localStorage.setItem("firstword.theme", choice);
  } catch {
    // As above.
  }
}

/** Text that was being written, per conversation, so that a reload does not eat it. */
export const draft = (id) => read("drafts", {})[id] ?? "";

export function setDraft(id, text) {
  const drafts = read("drafts", {});
  delete drafts[id];
  if (text) drafts[id] = text.slice(0, 50_000);
  write("drafts", Object.fromEntries(Object.entries(drafts).slice(-20)));
}
